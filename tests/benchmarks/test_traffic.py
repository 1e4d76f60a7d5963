from pathlib import Path

from benchmarks import bare
from benchmarks.traffic import Traffic, traffic_of
from tests.servers.swift import SwiftCluster
from tests.servers.swift_files import Extras


def test_the_server_counts_what_clients_ask_for(tmp_path: Path) -> None:
    with SwiftCluster(tmp_path / "swift") as cluster:
        swift = cluster.front(extras=Extras(counted=True))
        account = bare.Account(swift)
        bare.make_container(account, "c")
        before = traffic_of(swift)
        connection = account.connect()
        account.send(connection, "PUT", "c/x", b"12345")
        account.send(connection, "GET", "c/x")
        connection.close()
        assert traffic_of(swift) - before == Traffic(requests=2, sent=5, received=5)
