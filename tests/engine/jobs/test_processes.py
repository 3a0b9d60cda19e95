"""Worker processes: how they begin and end, what they cost, and what is left when one is killed."""

import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from helpers import ROOT, make_digits, make_noise

from engine.checkpoint import load_training
from engine.jobs import JobState
from engine.jobs.pool import Pool
from engine.network import dense_layers

TEST = make_digits(200, 3)
KILL_ROUNDS = int(os.environ.get("INKLING_KILL_ROUNDS", "10"))
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")

SERVER = """
import sys, time
from helpers import make_digits
from engine.config import Config
from engine.jobs import Job, Pool

pool = Pool(size=2)
data = make_digits(600), None
jobs = [Job(Config(epochs=100_000, seed=seed), lambda: data, pool, visitor=str(seed)) for seed in range(4)]
for job in jobs:
    job.start()
while not all(job.snapshot().step for job in jobs[:2]):
    time.sleep(0.01)
print(*(worker.process.pid for worker in pool._workers), flush=True)
time.sleep(600)
"""


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill(job, rng):
    """Kill the job's worker in a moment; return whether it had one."""
    sleep(rng.uniform(0, 0.1))
    worker = job.worker
    if worker:
        os.kill(worker.process.pid, signal.SIGKILL)
    return worker is not None


@linux
def test_a_killed_worker_means_one_sentence_and_the_training_goes_on_from_its_checkpoint(pool, make_job, train_alone, until):
    """At any moment: at the beginning, between steps, while something is saved, while it parks, in the test."""
    rng, ends = np.random.default_rng(0), []
    settings = {"epochs": 20, "ema_decay": 0.9}
    alone = train_alone(**settings)
    for number in range(KILL_ROUNDS):
        job = make_job(TEST, **settings)
        job.start()
        if number % 5:  # otherwise there is no checkpoint
            sleep(rng.uniform(0, 0.05))
            job.pause()
            if job.wait_until_still(30) and job.snapshot().state is JobState.PAUSED:
                job.paused_training()
                job.resume()
        checkpoint = job.saved
        if number % 3 == 1:
            with pool.changed:
                if job.worker:
                    job.park(goes_on=bool(number % 2))
        if kill(job, rng):
            with pool.changed:
                assert pool.changed.wait_for(lambda job=job: job.snapshot().state is not JobState.RUNNING, 30)
        now = job.snapshot()
        ends.append((str(now.state), now.error is not None))
        if now.error:
            assert now.state is JobState.PAUSED
            assert now.error == "This training stopped by accident, perhaps because memory ran out. Press Resume to go on."
            assert now.step == (job.saved.snapshot.step if job.saved else 0)
            if checkpoint:
                assert job.saved
                assert now.step >= checkpoint.snapshot.step
        while not job.wait_until_over(0):
            if job.wait_until_still(30) and job.snapshot().state is JobState.PAUSED:
                job.resume()
        end = job.snapshot()
        assert (end.state, end.error, end.test.images) == (JobState.FINISHED, None, 200)
        assert end.network.state_vector.tobytes() == alone.result.state_vector.tobytes()
        assert [event.epoch for event in end.history] == list(range(1, 21))
    print({end: ends.count(end) for end in sorted(set(ends))})
    assert ("paused", True) in ends


def test_a_training_that_was_killed_before_its_first_checkpoint_begins_again(make_job, until):
    job = make_job()
    before = job.snapshot()
    job.start()
    until(lambda: job.snapshot().step > 0)
    job.worker.process.kill()
    until(lambda: job.snapshot().error)
    now = job.snapshot()
    assert (now.state, now.step, now.history) == (JobState.PAUSED, 0, [])
    np.testing.assert_array_equal(now.network.state_vector, before.network.state_vector)


def test_an_idle_worker_that_is_killed_is_replaced(make_pool, make_job, until):
    pool = make_pool(size=1)
    pool.start_workers()
    until(lambda: len(pool._workers) == 2)
    for worker in list(pool._workers):
        worker.process.kill()
        until(lambda worker=worker: worker not in pool._workers)
    job = make_job(pool=pool, epochs=1)
    job.start()
    assert job.wait_until_over(30)
    assert job.snapshot().state is JobState.FINISHED


@linux
def test_the_servers_death_leaves_no_process(until):
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=ROOT
    ) as server:
        workers = [int(pid) for pid in server.stdout.readline().split()]
        processes = {*workers, *map(parent, workers)}  # with the fork server
        assert len(workers) == 3
        assert all(map(is_alive, processes))
        server.kill()
    assert server.pid not in processes
    until(lambda: not any(map(is_alive, processes)))


def test_a_server_that_ends_says_nothing():
    script = (
        SERVER.replace("Pool(size=2)", "default_pool()").replace("Pool\n", "default_pool\n").replace("time.sleep(600)", "")
    )
    environment = ENVIRONMENT | {"INKLING_TRAININGS": "2"}
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60
    )
    assert (result.stderr, result.returncode) == ("", 0)


@linux
def test_a_worker_knows_nothing_of_the_page_or_the_main_module(tmp_path):
    """The main module of this server ends the process when it is imported again, and so does the current folder's engine."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "engine").mkdir(parents=True)
    (elsewhere / "engine" / "__init__.py").write_text("import os; os._exit(1)")
    script = tmp_path / "page.py"
    script.write_text(
        "import os, sys\n"
        "if __name__ != '__main__':\n"
        f"    open({str(tmp_path / 'imported')!r}, 'w').close()\n"
        "    os._exit(1)\n"
        "sys.modules['streamlit'] = sys.modules['os']\n" + SERVER
    )
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=elsewhere
    ) as server:
        workers = server.stdout.readline().split()
        assert len(workers) == 3
        for pid in workers:
            assert "streamlit" not in Path(f"/proc/{pid}/maps").read_text()
            assert "numpy" in Path(f"/proc/{parent(pid)}/maps").read_text()  # so that the workers share its memory
        server.kill()
    assert not (tmp_path / "imported").exists()


def test_what_a_worker_imports_has_nothing_of_the_page():
    code = (
        "import sys, engine.jobs.worker; print(*(name for name in sys.modules if name.split('.')[0] in ('streamlit', 'ui')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, cwd=ROOT, timeout=60
    )
    assert (result.stdout.strip(), result.returncode) == ("", 0)


@linux
def test_workers_have_a_lower_priority_and_one_thread_for_products(pool, make_job, until):
    job = make_job(batch_size=500, layers=dense_layers((256,)))
    job.start()
    until(lambda: job.snapshot().step > 0)
    pid = job.worker.process.pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19

    def ticks():
        stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
        return {int(stat.split()[0]): int(stat.rpartition(")")[2].split()[11]) for stat in stats}

    before = ticks()
    until(lambda: ticks()[pid] > before[pid] + 30)  # hundredths of a second of the main thread
    assert max((count - before.get(thread, 0) for thread, count in ticks().items() if thread != pid), default=0) <= 1


@linux
def test_workers_share_the_data(make_pool, make_job, until):
    """47 MB of images, all of which are used: in memory once, not in each process."""
    dataset = make_noise(60_000)
    pool = make_pool(size=2)
    jobs = [
        make_job(pool=pool, load_data=lambda: (dataset, None), batch_size=500, visitor=visitor, seed=seed)
        for seed, visitor in enumerate("ab")
    ]
    private = []
    for job in jobs:
        job.step_epoch()
        assert job.wait_until_still(60)
        assert len(job.snapshot().history) == 1
        usage = Path(f"/proc/{job.worker.process.pid}/smaps_rollup").read_text()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in usage.splitlines()[1:]}
        private.append(1024 * (kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]))
        assert 1024 * kilobytes["Rss"] > dataset.images.nbytes
    assert private[-1] < dataset.images.nbytes  # with all of Python and NumPy in it


def test_thirty_visitors_with_a_training_each_are_all_done(pool, make_job, train_alone):
    jobs = [make_job(TEST, visitor=str(number), epochs=2, seed=number % 3) for number in range(30)]
    for job in jobs:
        job.start()
        assert job.snapshot().state in (JobState.RUNNING, JobState.QUEUED)
        assert job.snapshot().state is JobState.RUNNING or pool.place(job)
    alone = [train_alone(epochs=2, seed=seed).network.state_vector.tobytes() for seed in range(3)]
    for number, job in enumerate(jobs):
        assert job.wait_until_over(60)
        assert job.snapshot().state is JobState.FINISHED
        assert job.snapshot().network.state_vector.tobytes() == alone[number % 3]


def test_a_request_is_answered_with_the_next_step_although_reports_are_rare(make_job, until):
    """Fifty requests take far less time than as many reports, which come twice a second."""
    job = make_job()
    job.start()
    until(lambda: job.snapshot().step > 100)
    started = monotonic()
    for number in range(50):
        job.change(learning_rate=0.001 * (1 + number % 2))
        assert job.wait_for_changes(30)
    assert monotonic() - started < 12.5  # half as long


def test_a_pool_that_is_not_used_has_no_process():
    pool = Pool()
    assert (pool._workers, pool._thread, pool.counts()) == ([], None, (0, 0))
    pool.close()


@linux
def test_a_full_pipe_does_not_stop_the_server(make_job, tiny, until):
    """While a worker stands still in mid-step, hundreds of requests are taken, and other trainings go on."""
    job, other = make_job(), make_job()
    for each in (job, other):
        each.start()
        until(lambda each=each: each.snapshot().step > 0)
    job.pause()
    assert job.wait_until_still(30)
    pid, before = job.worker.process.pid, job.snapshot().step
    os.kill(pid, signal.SIGSTOP)
    try:
        for number in range(500):
            job.step()
            job.change(learning_rate=0.001)
            job.follow(np.full((28, 28), number / 500))
        step = other.snapshot().step
        until(lambda: other.snapshot().step > step)
        assert not job.is_still
    finally:
        os.kill(pid, signal.SIGCONT)
    assert job.wait_until_still(60)
    assert (job.snapshot().step, job.snapshot().state) == (before + 500, JobState.PAUSED)
    assert load_training(BytesIO(job.paused_training()), tiny).step == before + 500
