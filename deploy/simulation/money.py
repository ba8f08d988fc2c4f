"""Who pays a settlement: fund, personal account and cash, to the fen."""

from dataclasses import dataclass
from typing import Final

from deploy.simulation.price_list import ChargeItem

PART_COVERED_PERCENT: Final = 80
"""What of an item with coverage class 02 falls under the fund's policy, percent."""


def yuan(amount_fen: int) -> float:
    """Write an amount as the interface does.

    Args:
        amount_fen: Amount, fen.

    Returns:
        Yuan; the shortest decimal that reads back has at most two places.

    >>> yuan(9560)
    95.6
    """
    return amount_fen / 100


def covered_fen(item: ChargeItem, amount_fen: int) -> int:
    """Give the part of a charge that falls under the fund's policy (符合政策范围金额).

    Args:
        item: What is charged.
        amount_fen: Charge, fen, not negative.

    Returns:
        The whole, 80 % rounded half up, or nothing, by the item's coverage class.

    >>> from deploy.simulation.price_list import BED_DAY
    >>> covered_fen(BED_DAY, 4500)
    4500
    """
    if item.coverage == "01":
        return amount_fen
    if item.coverage == "03":
        return 0
    return (amount_fen * PART_COVERED_PERCENT + 50) // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A settled bill; ``fund_fen + account_fen + cash_fen == total_fen``."""

    total_fen: int
    covered_fen: int
    own_fen: int
    """Charges no fund pays at all (全自费)."""
    before_fen: int
    """The person's share before the fund is asked (先行自付)."""
    fund_fen: int
    account_fen: int
    cash_fen: int
    share: float
    """Share of the covered charges that the fund pays."""


def settle(*, total: int, covered: int, own: int, share: float, account_percent: int) -> Bill:
    """Split a bill between the fund and the person.

    Args:
        total: Sum of the charges, fen.
        covered: Part under the fund's policy, fen.
        own: Part no fund pays at all, fen.
        share: Share of the covered part that the fund pays, 0 to 1; read to four decimals.
        account_percent: Percent of the person's part that the personal account pays.

    Returns:
        The bill, exact to the fen.

    >>> bill = settle(total=9560, covered=9560, own=0, share=0.7, account_percent=100)
    >>> (bill.fund_fen, bill.account_fen, bill.cash_fen)
    (6692, 2868, 0)
    """
    rate = round(share * 10_000)
    fund = (covered * rate + 5_000) // 10_000
    account = (total - fund) * account_percent // 100
    return Bill(
        total_fen=total,
        covered_fen=covered,
        own_fen=own,
        before_fen=total - covered - own,
        fund_fen=fund,
        account_fen=account,
        cash_fen=total - fund - account,
        share=rate / 10_000,
    )


def bill_request(bill: Bill) -> dict[str, object]:
    """Write the amounts a settlement's request carries.

    Args:
        bill: The bill.

    Returns:
        Fields of the interface, yuan.
    """
    return {
        "medfee_sumamt": yuan(bill.total_fen),
        "fulamt_ownpay_amt": yuan(bill.own_fen),
        "overlmt_selfpay": 0,
        "preselfpay_amt": yuan(bill.before_fen),
        "inscp_scp_amt": yuan(bill.covered_fen),
    }


def bill_answer(bill: Bill, *, sign: int = 1) -> dict[str, object]:
    """Write the amounts a settlement's answer carries.

    Args:
        bill: The bill.
        sign: 1 for a settlement, -1 for its reversal: refunds are negative rows.

    Returns:
        Fields of the interface, yuan.
    """
    return {
        "medfee_sumamt": yuan(sign * bill.total_fen),
        "fulamt_ownpay_amt": yuan(sign * bill.own_fen),
        "overlmt_selfpay": 0,
        "preselfpay_amt": yuan(sign * bill.before_fen),
        "inscp_scp_amt": yuan(sign * bill.covered_fen),
        "hifp_pay": yuan(sign * bill.fund_fen),
        "pool_prop_selfpay": bill.share,
        "cvlserv_pay": 0,
        "hifes_pay": 0,
        "hifmi_pay": 0,
        "hifob_pay": 0,
        "maf_pay": 0,
        "oth_pay": 0,
        "fund_pay_sumamt": yuan(sign * bill.fund_fen),
        "psn_part_amt": yuan(sign * (bill.account_fen + bill.cash_fen)),
        "acct_pay": yuan(sign * bill.account_fen),
        "psn_cash_pay": yuan(sign * bill.cash_fen),
        "hosp_part_amt": 0,
        "balc": 100.0,
        "acct_mulaid_pay": 0,
    }
