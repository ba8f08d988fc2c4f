"""Face terminals (人脸终端): is the person at the counter the person on the card?"""
