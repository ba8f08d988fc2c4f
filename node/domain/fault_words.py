"""What an answer to a vendor's system says of a fault, in Chinese: what is wrong, how to mend it.

The English words for the operator are in ``node.domain.faults``. Neither holds a
value from outside; the value is added masked.
"""

from collections.abc import Mapping
from typing import Final

from node.domain.faults import Rule

__all__ = ["WORDS_ZH"]

WORDS_ZH: Final[Mapping[Rule, tuple[str, str]]] = {
    Rule.UTF8_INVALID: ("编码不是UTF-8或GB18030", "请按UTF-8重新导出"),
    Rule.JSON_BROKEN: ("不是完整的JSON", "请将整条报文作为一个JSON对象重新发送"),
    Rule.LINE_TOO_LONG: ("报文过长", "请拆分报文，每条不超过4MiB"),
    Rule.FILE_TRUNCATED: ("文件不完整", "请复制完整文件后重新导入，已入库的不受影响"),
    Rule.MESSAGE_SHAPE: ("报文结构不对", "请按{infno,request,response}或含input的请求发送"),
    Rule.INFNO_UNKNOWN: ("交易编号未知", "请使用国家接口规范的交易编号"),
    Rule.INFNO_MISMATCH: ("内外交易编号不一致", "请保持报文内外交易编号一致"),
    Rule.MSGID_FORMAT: ("报文ID格式不对", "请用机构编码12位+yyyyMMddHHmmss+4位顺序号"),
    Rule.MSGID_INSTITUTION: ("报文ID不属于发送机构", "请用发送机构的编码组成报文ID"),
    Rule.MSGID_CONFLICT: ("报文ID已用于不同内容", "每条报文用新的报文ID，更正须另发报文"),
    Rule.INSTITUTION_UNKNOWN: ("机构不在本节点保管范围", "请核对机构编码，或由中心将其纳入本节点"),
    Rule.FIELD_MISSING: ("必填项为空", "请填写后重发"),
    Rule.FIELD_TYPE: ("类型不符", "请按接口规范的类型填写"),
    Rule.FIELD_TOO_LONG: ("超过规定长度", "请按接口规范的长度填写"),
    Rule.CODE_UNKNOWN: ("代码不在值域内", "请使用国家标准代码"),
    Rule.NUMBER_SCALE: ("小数位数过多", "请按接口规范的小数位取整"),
    Rule.NUMBER_RANGE: ("数值超出范围", "请核对数值"),
    Rule.NUMBER_NEGATIVE: ("不应为负数", "退费请填init_feedetl_sn，撤销请用2208、2305或2103"),
    Rule.DATE_INVALID: ("日期格式不对", "请用yyyy-MM-dd或yyyy-MM-dd HH:mm:ss"),
    Rule.DATE_FUTURE: ("日期在将来", "请核对发送系统的时钟和业务日期"),
    Rule.DATE_TOO_EARLY: ("日期早于2000-01-01", "请核对业务日期"),
    Rule.DATE_OUTSIDE_PERIOD: ("日期不在本期内", "请放入所属期间的文件"),
    Rule.DATE_ORDER: ("结束早于开始", "请核对两个日期"),
    Rule.CHECK_DIGIT: ("校验位不对", "请核对号码有无录入错误"),
    Rule.PERSON_MISMATCH: ("请求与应答的人员不一致", "请将请求与其应答配对"),
    Rule.VISIT_MISMATCH: ("请求与应答的就诊不一致", "请将请求与其应答配对"),
    Rule.AMOUNTS_DISAGREE: ("总额与分项之和不符", "请核对金额"),
    Rule.DUPLICATE_LINE: ("明细流水号重复", "同一报文内的明细流水号不得重复"),
    Rule.REVERSAL_WITHOUT_ORIGINAL: ("找不到被撤销的结算", "请先上传原结算，再重发本报文"),
    Rule.ALREADY_REVERSED: ("该结算已撤销", "请勿重复撤销，或指明要撤销的结算"),
    Rule.CSV_LINE: ("行格式不对", "请使字段数与表头一致并闭合引号"),
    Rule.SIGNATURE_INVALID: ("数字签名缺失或不符", "请用登记的密钥对input的规范JSON签名"),
    Rule.TABLE_CELL: ("单元格内容不可用", "每个单元格填一个普通值，不用公式和不可见字符"),
}
"""(what is wrong, how to mend it) by rule; every rule is here."""
