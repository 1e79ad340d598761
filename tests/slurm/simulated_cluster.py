"""A real Slurm on this machine: its own daemons, for nodes that are namespaces.

    head     bridge 10.231.77.1   slurmctld
    node00   10.231.77.10         slurmd, and the jobs
    node01   10.231.77.11         slurmd, and the jobs

Each node has a host name, an /etc/hosts and a network of its own, so `localhost` is another place
on each of them, as on a cluster. Nothing leaves the machine. Needs root; `missing` says what else.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import slurm_files

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "unshare", "nsenter", "setpriv", "ip")

# What a node does first; afterwards it holds its namespaces open.
_NODE = """\
hostname "$1"
mount --bind "$2" /etc/hosts
exec sleep infinity
"""
_NAMESPACES = ("unshare", "--uts", "--mount", "--net", "--propagation", "slave")


def missing() -> str:
    """Why no Slurm can run here; empty where it can."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if os.geteuid() != 0:
        return "a simulated cluster needs root"
    if absent:
        return f"a simulated cluster needs {', '.join(absent)} (Debian: slurm-wlm munge iproute2)"
    if subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode:
        return "a simulated cluster needs namespaces, and this machine gives none"
    return ""


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class SimulatedCluster:
    """Starts and stops it, and what can happen to a node."""

    def __init__(self, root: Path, nodes: Sequence[str] = ("node00", "node01")) -> None:
        """`root` is a short path (sockets lie below it), best a new folder in /tmp."""
        self.root = root
        self.nodes = nodes
        # A job that runs these tests must not leak into the jobs they submit.
        outer = ("SLURM", "SBATCH", "SRUN", "SALLOC", "CROSSIC")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(outer)}
        self.env = {**kept, "PATH": _path(), "SLURM_CONF": str(root / "etc" / "slurm.conf")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Everything, until all nodes wait for jobs."""
        self._write_files()
        socket = self.root / "munge" / "socket"
        munge = [
            f"--{name}={self.root}/munge/{name}" for name in ("socket", "pid-file", "seed-file")
        ]
        log = self.root / "log" / "munged.log"
        key = self.root / "munge" / "key"
        self._start(
            "munged",
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--log-file={log}", *munge],
        )
        self._await("munged", lambda: self._answers("munge", "-n", "-S", str(socket)))
        self._start_host(slurm_files.HEAD)
        for command in (
            "ip link set lo up",
            "ip link add eth0 type bridge",
            "ip link set eth0 up",
            f"ip addr add {slurm_files.HEAD_ADDRESS}/24 dev eth0",
        ):
            self._inside("head", *command.split())
        self._start("slurmctld", [*self._on("head"), "slurmctld", "-D", "-c", "-i"])
        self._await("slurmctld", lambda: self._answers("scontrol", "ping"))
        for node in self.nodes:
            self.start_node(node)
        self._await("the nodes", lambda: all(self.is_up(node) for node in self.nodes))

    def stop(self) -> None:
        """End what was started, by pid, and whatever the jobs left on the nodes."""
        for node in self.nodes:
            self.kill_node(node)
        for process in reversed(self._running.values()):
            process.kill()
            process.wait()
        shutil.rmtree(self.root)

    def start_node(self, node: str) -> None:
        """Connect a node and start its daemon."""
        index = self.nodes.index(node)
        own = slurm_files.address(index)
        self._start_host(node)
        pid = self._running[node].pid
        link = f"ip link add v{index} type veth peer name eth0 netns {pid}"
        for place, command in (
            ("head", link),
            ("head", f"ip link set v{index} master eth0 up"),
            (node, "ip link set lo up"),
            (node, "ip link set eth0 up"),
            (node, f"ip addr add {own}/24 dev eth0"),
        ):
            self._inside(place, *command.split())
        self.start_daemon(node)

    def start_daemon(self, node: str) -> None:
        """Only its slurmd."""
        self._start(f"slurmd.{node}", [*self._on(node), "slurmd", "-D", "-N", node])

    def kill_node(self, node: str) -> None:
        """As if its power failed: every process on it is gone at once."""
        if node not in self._running:
            return
        for pid in _processes_in(_network(self._running[node].pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in (node, f"slurmd.{node}"):
            self._running.pop(name).wait()

    def kill_daemon(self, node: str) -> None:
        """Only its slurmd; what runs on the node goes on, unwatched."""
        daemon = self._running[f"slurmd.{node}"]
        daemon.kill()
        daemon.wait()

    def is_up(self, node: str) -> bool:
        """Whether jobs can start on the node."""
        return self.run("sinfo", "-h", "-n", node, "-o", "%t", check=False).split()[:1] in (
            ["idle"],
            ["mix"],
            ["alloc"],
        )

    def run(
        self, *command: str, check: bool = True, variables: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """Output of a command where it reaches the controller."""
        finished = subprocess.run(
            self.reaching(*command),
            env={**self.env, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def reaching(self, *command: str) -> list[str]:
        """The command line that runs `command` in the controller's network."""
        return ["nsenter", f"--net=/proc/{self._running['head'].pid}/ns/net", "--", *command]

    def _write_files(self) -> None:
        for folder in ("etc", "log", "state", "munge", "dev", *(f"spool.{n}" for n in self.nodes)):
            (self.root / folder).mkdir(parents=True)
        self.root.chmod(0o755)  # munged refuses a key under a folder that others can change
        key = self.root / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        (self.root / "munge").chmod(0o711)
        for number in range(slurm_files.GPUS):
            device = self.root / "dev" / f"nvidia{number}"
            os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))
        texts = {
            "hosts": slurm_files.hosts_file(self.nodes),
            "gres.conf": slurm_files.gres_file(self.root, self.nodes),
            "slurm.conf": slurm_files.slurm_conf(self.root, self.nodes),
        }
        for name, text in texts.items():
            (self.root / "etc" / name).write_text(text, encoding="utf-8")

    def _start(self, name: str, command: list[str]) -> None:
        """In a session of its own; it ends with us, whatever ends us."""
        with (self.root / "log" / f"{name}.out").open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _start_host(self, name: str) -> None:
        hosts = str(self.root / "etc" / "hosts")
        self._start(name, [*_NAMESPACES, "sh", "-ec", _NODE, "sh", name, hosts])
        process = Path("/proc") / str(self._running[name].pid)
        self._await(name, lambda: (process / "comm").read_text() == "sleep\n")

    def _on(self, host: str) -> list[str]:
        """What runs a command on a host."""
        pid = str(self._running[host].pid)
        return ["nsenter", "-t", pid, "--net", "--uts", "--mount", "--"]

    def _inside(self, place: str, *command: str) -> None:
        pid = self._running[place].pid
        subprocess.run(
            ["nsenter", f"--net=/proc/{pid}/ns/net", "--", *command], env=self.env, check=True
        )

    def _answers(self, *command: str) -> bool:
        place = self.reaching() if "head" in self._running else []
        done = subprocess.run([*place, *command], env=self.env, capture_output=True, check=False)
        return done.returncode == 0

    def _await(self, what: str, condition: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                logs = "".join(log.read_text() for log in sorted((self.root / "log").iterdir()))
                raise TimeoutError(f"{what} did not come up in {seconds:g} s:\n{logs[-4000:]}")
            time.sleep(0.05)


def _network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _processes_in(network: str) -> Iterator[int]:
    """Processes of a network namespace."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                if _network(int(folder.name)) == network:
                    yield int(folder.name)
