"""Where pictures come from (图像来源): a camera, a stream, a recording, a folder."""
