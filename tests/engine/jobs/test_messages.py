"""A job that talks to a worker which does nothing by itself: what happens in every order in which messages can come."""

from dataclasses import replace
from threading import Condition, Thread

import numpy as np
import pytest
from helpers import make_digits

from engine.checks import InklingError
from engine.jobs import Job, JobState
from engine.jobs.job import MAX_UNANSWERED
from engine.jobs.messages import GO_ON, STAND_STILL, Checkpoint, Command, Failure, Goal, Report, Request, Task

IMAGE = make_digits(1).images[0] / np.float32(255)


class IdlePool:
    """A pool that gives no worker by itself."""

    def __init__(self):
        self.changed, self.waiting = Condition(), []

    def check_limits(self, job):
        pass

    def check_memory(self, needed):
        pass

    def enqueue(self, job):
        assert job not in self.waiting
        self.waiting.append(job)

    def withdraw(self, job):
        if job in self.waiting:
            self.waiting.remove(job)


class IdleWorker:
    """A worker that lists what it gets, and speaks when a test has it speak."""

    def __init__(self, job):
        self.job, self.messages = job, []
        with job.pool.changed:
            job.pool.waiting.remove(job)
            job.begin(self)

    def send(self, message):
        self.messages.append(message)

    @property
    def task(self):
        (task,) = (message for message in self.messages if isinstance(message, Task))
        return task

    @property
    def commands(self):
        return [message for message in self.messages if isinstance(message, Command)]

    @property
    def requests(self):
        return [command.request for command in self.commands]

    def number(self, request):
        return next(command.number for command in reversed(self.commands) if command.request is request)

    def report(self, state, answered=None, **values):
        """Report that everything so far is carried out, unless another number is ``answered``."""
        answered = self.commands[-1].number if answered is None and self.commands else answered or 0
        with self.job.pool.changed:
            self.job.receive(Report(answered, replace(self.job._snapshot, state=state, **values), []))

    def park(self, goal, step=1):
        answered = self.number(Request.PARK)
        self.report(JobState.PAUSED if goal.paused else JobState.RUNNING, answered, step=step)
        self.save(goal, answered)

    def save(self, goal=None, answered=None):
        answered = self.commands[-1].number if answered is None else answered
        with self.job.pool.changed:
            self.job.receive(Checkpoint(answered, b"a training", goal))


@pytest.fixture
def job(tiny, long_config):
    return Job(long_config(), lambda: (tiny, None), IdlePool())


@pytest.fixture
def running(job):
    job.start()
    worker = IdleWorker(job)
    worker.report(JobState.RUNNING)
    return worker


@pytest.fixture
def paused(job):
    job.step()
    worker = IdleWorker(job)
    worker.report(JobState.PAUSED)
    return worker


def test_a_training_begins_in_a_pause_and_gets_all_that_was_asked_for_in_order(job):
    job.change(learning_rate=0.5)
    job.start()
    job.step()
    assert job.snapshot().state is JobState.QUEUED
    worker = IdleWorker(job)
    assert worker.task.goal == STAND_STILL
    assert worker.requests == [Request.CHANGE, Request.RESUME, Request.STEP]
    worker.report(JobState.PAUSED, answered=0)
    assert job.snapshot().state is JobState.RUNNING
    assert not job.is_still


@pytest.mark.parametrize("end", [Request.RESUME, Request.STEP, Request.STEP_EPOCH])
def test_what_comes_last_while_a_training_waits_decides(job, end):
    job.step()
    getattr(job, end.name.lower())()
    assert IdleWorker(job).requests == [Request.STEP, end]


def test_a_pause_while_a_training_waits_takes_it_out_and_keeps_its_changes(job):
    job.start()
    job.change(learning_rate=0.5)
    job.pause()
    assert (job.snapshot().state, job.pool.waiting, job.is_still) == (JobState.PAUSED, [], True)
    assert job.snapshot().config.learning_rate == 0.5
    job.step()
    worker = IdleWorker(job)
    assert worker.requests == [Request.CHANGE, Request.STEP]


def test_a_training_that_waits_is_in_the_queue_once(job):
    job.start()
    for request in (job.step, job.resume, job.step_epoch, job.step):
        request()
    assert job.pool.waiting == [job]
    job.stop()
    assert (job.snapshot().state, job.pool.waiting) == (JobState.STOPPED, [])


def test_a_pipe_is_never_full(running):
    for _ in range(1_000):
        running.job.step()
    assert len(running.requests) == 1 + MAX_UNANSWERED  # with the one that started it
    running.report(JobState.RUNNING)
    assert len(running.requests) == 1 + 2 * MAX_UNANSWERED
    for _ in range(1_000):
        running.report(JobState.PAUSED)
    assert running.requests == [Request.RESUME] + [Request.STEP] * 1_000
    assert [command.number for command in running.commands] == list(range(1, 1_002))
    assert running.job.is_still


def test_images_to_follow_are_not_piled_up(running):
    for shade in np.linspace(0, 1, 100):
        running.job.follow(np.full((28, 28), shade))
    assert running.requests.count(Request.FOLLOW) == 1
    running.report(JobState.RUNNING)
    running.report(JobState.RUNNING)
    first, last = (command.argument for command in running.commands if command.request is Request.FOLLOW)
    assert (first[0, 0], last[0, 0]) == (0, 1)


# --- saving ---


def test_a_request_to_save_waits_for_the_checkpoint_and_not_for_the_report_before_it(paused, until):
    paused.save()
    paused.job.saved = paused.job.saved._replace(training=b"an earlier one")
    contents = []
    thread = Thread(target=lambda: contents.append(paused.job.paused_training()))
    thread.start()
    until(lambda: Request.SAVE in paused.requests)
    paused.report(JobState.PAUSED, answered=paused.commands[-2].number)  # as the worker numbers the report within SAVE
    assert not contents
    paused.save(answered=paused.commands[-2].number)
    paused.report(JobState.PAUSED)
    thread.join(30)
    assert contents == [b"a training"]


def test_a_training_that_parks_while_it_is_saved_is_saved(paused, until):
    contents = []
    paused.job.park(goes_on=False)
    thread = Thread(target=lambda: contents.append(paused.job.paused_training()))
    thread.start()
    until(lambda: Request.SAVE in paused.requests)
    paused.park(STAND_STILL)
    thread.join(30)
    assert contents == [b"a training"]


def test_a_training_that_ends_while_it_is_saved_says_so(paused, until):
    errors = []

    def save():
        try:
            paused.job.paused_training()
        except InklingError as error:
            errors.append(str(error))

    thread = Thread(target=save)
    thread.start()
    until(lambda: Request.SAVE in paused.requests)
    paused.report(JobState.STOPPED)
    thread.join(30)
    assert errors == ["only a paused training can be saved, and this one is stopped: pause it first"]


# --- parking ---


@pytest.mark.parametrize(
    ("requests", "goes_on", "state", "goal", "sent"),
    [
        ([], False, JobState.PAUSED, None, []),
        ([], True, JobState.QUEUED, GO_ON, []),
        (["resume"], False, JobState.QUEUED, STAND_STILL, [Request.RESUME]),
        (["step", "step"], False, JobState.QUEUED, STAND_STILL, [Request.STEP, Request.STEP]),
        (["step", "change", "follow"], False, JobState.QUEUED, STAND_STILL, [Request.STEP, Request.CHANGE]),
        (["pause"], True, JobState.PAUSED, None, []),
        (["step", "pause"], True, JobState.PAUSED, None, []),
        (["pause", "step"], True, JobState.QUEUED, GO_ON, [Request.PAUSE, Request.STEP]),
        (["stop"], True, JobState.STOPPED, None, []),
        (["stop"], False, JobState.STOPPED, None, []),
        (["resume", "stop"], False, JobState.STOPPED, None, []),
    ],
    ids=str,
)
def test_what_is_asked_for_while_a_training_parks_is_done(running, requests, goes_on, state, goal, sent):
    job = running.job
    if not goes_on:
        job.pause()
        running.report(JobState.PAUSED)
    job.park(goes_on)
    arguments = {"change": {"learning_rate": 0.5}, "follow": {"image": IMAGE}}
    for request in requests:
        getattr(job, request)(**arguments.get(request, {}))
    running.park(GO_ON if goes_on else STAND_STILL)
    assert (job.worker, running.job) == (None, None)
    assert job.snapshot().state is state
    assert job.pool.waiting == [job] * (state is JobState.QUEUED)
    if state is JobState.QUEUED:
        worker = IdleWorker(job)
        assert (worker.task.goal, worker.task.saved.training, worker.requests) == (goal, b"a training", sent)
        assert not job.is_parking
    elif state is JobState.PAUSED:
        assert job.is_still
        assert job.saved.training == b"a training"


def test_an_epoch_that_is_stepped_is_finished_after_parking(running):
    job = running.job
    job.step_epoch()
    running.report(JobState.RUNNING)
    job.park(goes_on=True)
    running.park(Goal(paused=True, epoch=3))
    assert job.snapshot().state is JobState.QUEUED
    assert IdleWorker(job).task.goal == Goal(paused=True, epoch=3)


# --- the end of a worker ---


@pytest.mark.parametrize("saved", [False, True])
def test_a_lost_worker_means_a_pause_at_the_last_checkpoint(running, saved):
    job = running.job
    first = job.snapshot()
    running.report(JobState.RUNNING, step=5)
    if saved:
        running.save()
    running.report(JobState.RUNNING, step=9)
    job.change(learning_rate=0.5)
    with job.pool.changed:
        job.lose_worker()
    now = job.snapshot()
    assert (now.state, now.step, job.is_still) == (JobState.PAUSED, 5 if saved else 0, True)
    assert "stopped by accident" in now.error
    assert now.config == first.config
    np.testing.assert_array_equal(now.network.state_vector, first.network.state_vector)
    job.resume()
    assert job.snapshot().error is None
    assert IdleWorker(job).requests == [Request.RESUME]


def test_a_training_that_was_to_stop_when_its_worker_was_lost_is_stopped(running):
    job = running.job
    job.stop()
    with job.pool.changed:
        job.lose_worker()
    assert job.snapshot().state is JobState.STOPPED


@pytest.mark.parametrize("message", [Failure("no\nmore"), None], ids=["failure", "end"])
def test_a_training_that_ends_while_it_parks_is_over(running, message):
    job = running.job
    job.park(goes_on=True)
    if message:
        with job.pool.changed:
            job.receive(message)
    else:
        running.report(JobState.FINISHED, answered=0)
    assert job.snapshot().state is (JobState.FAILED if message else JobState.FINISHED)
    assert (job.worker, job.pool.waiting, job.saved) == (None, [], None)
