"""Cases about what the fund pays for whom: sex, age, insurance, level, way of care (M01 to M07)."""

from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.visits import Visit, visit

__all__ = ["drugs_by_sex"]

_MAN, _WOMAN = "1", "2"


def drugs_by_sex(scene: Scene) -> None:
    """M01: drugs for one sex, charged to the other (药品区分性别使用)."""
    drug, plain = scene.drug(), scene.drug()
    scene.point("一", "drug", "限定性别对象", drug, limit="女")
    for place, institution in enumerate(scene.hospitals(inpatient=False)[:3]):
        begins = scene.second(20 + place, 9.5)
        fee = Fee(code=drug, second=begins + HOUR_S // 4, count=2, price_fen=1_550 + place)
        man, woman = scene.person(sex=_MAN), scene.person(sex=_WOMAN)
        wrong = visit(scene, institution, man, Visit(begins_s=begins), [fee])
        scene.case(
            "M01", "限女性药品用于男性", institution, wrong, key=drug, amount_fen=fee.scope_fen
        )
        right = visit(scene, institution, woman, Visit(begins_s=begins + 60), [fee])
        scene.near_miss("M01", "限女性药品用于女性", institution, right, key=drug)
        other = Fee(code=plain, second=begins + HOUR_S // 4)
        free = visit(scene, institution, man, Visit(begins_s=begins + 3 * HOUR_S), [other])
        scene.near_miss("M01", "男性使用不限性别的药品", institution, free, key=plain)
