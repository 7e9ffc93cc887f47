"""What the sandbox remembers is never older than a change that was answered."""

from concurrent.futures import ThreadPoolExecutor

from tests.sandbox.conftest import Caller


def test_the_first_requests_of_all_know_the_key(caller: Caller) -> None:
    caller.sandbox.put_person("ada@example.com")

    def lookup(_number: int) -> int:
        query = {"email": "ada@example.com"}
        return (
            Caller(caller.sandbox)
            .get("/api/v1/users/lookup/", params=query, headers=caller.key)
            .status_code
        )

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lookup, range(200))) == {200}


def test_a_fault_is_there_and_gone_at_once_also_under_load(caller: Caller) -> None:
    def lookup(_number: int) -> int:
        return Caller(caller.sandbox).get("/news/newsletters/").status_code

    with ThreadPoolExecutor(4) as pool:
        load = [pool.submit(lookup, number) for number in range(120)]
        for _ in range(20):
            caller.sandbox.fail("newsletters", status=503)
            assert caller.get("/news/newsletters/").status_code == 503
            caller.sandbox.heal()
            assert caller.get("/news/newsletters/").status_code == 200
        assert {future.result() for future in load} <= {200, 503}
