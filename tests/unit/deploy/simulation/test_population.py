"""Everyone else of the city: valid ids, even ranks, draws that depend on nobody else."""

import re
from pathlib import Path

import pytest

from deploy.errors import SimulationError
from deploy.simulation.city import MAX_INSTITUTIONS, City, build_city, staff_serial
from deploy.simulation.codes import pseudonym, staff_code
from deploy.simulation.department_files import Departments
from deploy.simulation.places import DIVISIONS
from deploy.simulation.population import (
    CLASSES,
    EMPLOYER,
    INSURED_PERSON,
    PHARMACIST,
    PHYSICIAN,
    STAFF,
    SUPPLIER,
    THIRD_PARTY,
    Subject,
    build_population,
    of_class,
)
from scoring_kernel import load_catalog
from scoring_kernel.check_digits import is_valid_uscc

FORMS = {
    "physician": r"D\d{12}",
    "nurse": r"N\d{12}",
    "pharmacist": r"(HY|Y)\d{12}",
    "insured_person": r"R[0-9a-f]{32}",
}
ORGANISATIONS = (EMPLOYER, SUPPLIER, THIRD_PARTY)


def a_city(institutions: int = 62, seed: int = 1) -> City:
    return build_city(institutions=institutions, claims=institutions * 20, seed=seed)


@pytest.fixture(scope="module")
def city() -> City:
    return a_city()


@pytest.fixture(scope="module")
def population(city: City) -> tuple[Subject, ...]:
    return build_population(city)


def test_everybody_has_an_id_of_the_form_of_their_class(population: tuple[Subject, ...]) -> None:
    for name, form in FORMS.items():
        assert all(re.fullmatch(form, one.code) for one in of_class(population, name))
    assert all(is_valid_uscc(one.code) for one in of_class(population, *ORGANISATIONS))
    assert len({one.code for one in population}) == len(population)
    assert [one.index for one in population] == list(range(len(population)))


def test_the_demonstration_has_enough_of_every_class(population: tuple[Subject, ...]) -> None:
    counts = [len(of_class(population, name)) for name in CLASSES]
    assert counts == [786, 239, 98, 201, 62, 41, 15]


def test_physicians_are_the_doctors_that_messages_name(
    city: City, population: tuple[Subject, ...]
) -> None:
    doctors = [code for item in city.institutions for code in item.doctors]
    assert [one.code for one in of_class(population, PHYSICIAN)] == doctors


def test_pharmacists_of_pharmacies_and_hospitals_have_their_own_codes(
    population: tuple[Subject, ...],
) -> None:
    for one in of_class(population, PHARMACIST):
        assert one.institution is not None
        assert one.code.startswith("Y" if one.institution.is_pharmacy else "HY")


def test_ranks_are_spread_evenly_over_every_class(population: tuple[Subject, ...]) -> None:
    for name in CLASSES:
        ranks = [one.rank for one in of_class(population, name)]
        assert 0 <= min(ranks) < 0.06
        assert 0.94 < max(ranks) <= 1
        assert 0.45 < sum(ranks) / len(ranks) < 0.55


def test_staff_do_not_change_when_institutions_are_added() -> None:
    small, large = (
        {one.code: one.rank for one in of_class(build_population(a_city(20)), *STAFF)}
        for _ in range(2)
    )
    assert small == large
    first = build_population(a_city(62))[0]
    again = build_population(build_city(institutions=62, claims=5_000, seed=1))[0]
    assert (first.code, first.rank) == (again.code, again.rank)


def test_serials_of_staff_are_six_digits_and_unique_in_their_division() -> None:
    divisions = list(DIVISIONS)
    codes = {
        staff_code("D", divisions[index % len(divisions)], staff_serial(index, 99))
        for index in range(MAX_INSTITUTIONS)
    }
    assert len(codes) == MAX_INSTITUTIONS
    assert {len(code) for code in codes} == {13}


def test_a_pseudonym_depends_on_the_key_and_hides_the_number(
    city: City, population: tuple[Subject, ...]
) -> None:
    number = city.persons[0].number
    assert pseudonym(1, number) == pseudonym(1, number) != pseudonym(2, number)
    codes = {one.code for one in of_class(population, INSURED_PERSON)}
    assert codes <= {pseudonym(1, person.number) for person in city.persons}


def test_a_row_that_is_not_the_catalogues_ends_the_simulation(tmp_path: Path) -> None:
    departments = Departments(catalog=load_catalog(), out=tmp_path)
    with pytest.raises(SimulationError, match=r"item s05: .* differ in period, points, score"):
        departments.write("s05", [{"staff": "D330302000101", "points": 3}])
    with pytest.raises(SimulationError, match="no item z99"):
        departments.write("z99", [])
    assert not list(tmp_path.iterdir())
