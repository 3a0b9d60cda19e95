"""What a worker process does, run in a thread of this process."""

from io import BytesIO
from multiprocessing import Pipe
from threading import Thread

import numpy as np
import pytest
from helpers import make_digits

from engine.checkpoint import load_training
from engine.checks import InklingError
from engine.data.mapped import map_dataset
from engine.jobs import JobState
from engine.jobs import worker as worker_module
from engine.jobs.messages import GO_ON, STAND_STILL, Checkpoint, Command, Failure, Goal, Report, Request, Task, send
from engine.jobs.messages import receive as receive_message

IMAGE = make_digits(1).images[0] / np.float32(255)
DEADLINE = 30


@pytest.fixture
def begin(tiny, long_config, monkeypatch):
    """Begin a task with these commands already in the pipe; return the server's end of it and the thread."""
    threads = []

    def make(*commands, goal=STAND_STILL, followed=None, **changes):
        connection, other_end = Pipe()
        for number, command in enumerate(commands, 1):
            send(connection, Command(number, *command) if isinstance(command, tuple) else Command(number, command))
        task = Task(long_config(**changes), map_dataset(tiny), None, goal=goal, followed=followed)
        threads.append(Thread(target=run, args=(task, other_end)))
        threads[-1].start()
        connections.append(connection)
        return connection

    def run(task, connection):
        try:
            worker_module.run(task, connection)
        except (EOFError, ConnectionError):
            pass
        finally:
            connection.close()

    connections = []
    yield make
    for connection in connections:
        connection.close()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()


def receive(connection, count=None):
    """The next messages, or all until the worker has ended."""
    messages = []
    while count is None or len(messages) < count:
        assert connection.poll(DEADLINE), "nothing came"
        try:
            messages.append(receive_message(connection))
        except (EOFError, ConnectionError):
            break
    return messages


def last_report(connection, condition):
    while True:
        (message,) = receive(connection, 1)
        if isinstance(message, Report) and condition(message):
            return message


def test_a_new_training_reports_before_its_first_step(begin):
    (report,) = receive(begin(followed=IMAGE), 1)
    assert (report.answered, report.snapshot.state, report.snapshot.step) == (0, JobState.PAUSED, 0)
    assert report.new_epochs == []
    (row,) = report.snapshot.followed
    np.testing.assert_allclose(row[2:], report.snapshot.network.predict_proba(IMAGE[None])[0], atol=1e-6)


def test_a_training_takes_the_steps_of_its_goal(begin):
    connection = begin(goal=Goal(paused=True, step=7))
    report = last_report(connection, lambda report: report.snapshot.state is JobState.PAUSED)
    assert report.snapshot.step == 7


def test_a_training_finishes_the_epoch_of_its_goal(begin):
    connection = begin(goal=Goal(paused=True, epoch=2))
    report = last_report(connection, lambda report: report.snapshot.state is JobState.PAUSED)
    assert (report.snapshot.step, [event.epoch for event in report.new_epochs][-1]) == (100, 2)


@pytest.mark.parametrize("goal", [GO_ON, STAND_STILL, Goal(paused=True, epoch=1), Goal(paused=True, step=9)], ids=str)
def test_what_comes_after_the_request_to_park_is_left_for_the_next_worker(begin, goal):
    messages = receive(begin(Request.PARK, Request.RESUME, (Request.CHANGE, {"learning_rate": 0.5}), goal=goal))
    checkpoint = messages[-1]
    assert isinstance(checkpoint, Checkpoint)
    assert (checkpoint.answered, checkpoint.goal) == (1, goal)
    assert isinstance(messages[-2], Report)
    assert all(message.snapshot.changes == () for message in messages[:-1] if isinstance(message, Report))


def test_what_comes_after_the_request_to_stop_is_left_undone(begin):
    messages = receive(begin(Request.STOP, Request.STEP, (Request.CHANGE, {"learning_rate": 0.5})))
    assert [message.snapshot.state for message in messages[-2:]] == [JobState.TESTING, JobState.STOPPED]
    assert (messages[-1].snapshot.step, messages[-1].snapshot.changes) == (0, ())


def test_the_report_within_a_request_to_save_does_not_answer_it(begin, tiny):
    connection = begin(Request.STEP, Request.SAVE)
    messages = []
    while not (messages and getattr(messages[-1], "answered", 0) == 2):
        messages += receive(connection, 1)
    kinds = [type(message) for message in messages]
    assert kinds[-3:] == [Report, Checkpoint, Report]
    assert [message.answered for message in messages[-3:]] == [1, 1, 2]
    assert load_training(BytesIO(messages[-2].training), tiny).step == messages[-3].snapshot.step


def test_checkpoints_come_in_the_middle_of_epochs_and_are_what_viewers_saw(begin, monkeypatch, tiny):
    monkeypatch.setattr(worker_module, "CHECKPOINT_EVERY", 0.0)
    monkeypatch.setattr(worker_module, "MAX_COST", 1e9)
    messages = receive(begin(goal=GO_ON, epochs=3))
    checkpoints = [position for position, message in enumerate(messages) if isinstance(message, Checkpoint)]
    assert len(checkpoints) == 3 * (50 + 1)  # after each step, and at the end of each epoch
    for position in checkpoints[::10]:
        trainer = load_training(BytesIO(messages[position].training), tiny)
        assert messages[position - 1].snapshot.step == trainer.step
        assert messages[position].goal is None
    events = [event for message in messages if isinstance(message, Report) for event in message.new_epochs]
    assert [event.epoch for event in events] == [1, 2, 3]  # each is sent once


def test_reports_are_rare_when_they_are_expensive(monkeypatch):
    now = 0.0
    monkeypatch.setattr(worker_module, "monotonic", lambda: now)
    rhythm = worker_module._Rhythm(0.5)
    assert not rhythm.is_due(0.4)
    assert rhythm.is_due(0.5)
    rhythm.done(0.001)
    assert rhythm.is_due(0.5)
    rhythm.done(3.0)
    assert not rhythm.is_due(199.0)
    assert rhythm.is_due(200.0)


def test_a_task_that_cannot_begin_fails_in_one_line(begin):
    (message,) = receive(begin(train_size=700, validation_size=650))
    assert isinstance(message, Failure)
    assert message.error.startswith("validation_size")


def test_missing_files_are_a_failure_and_not_the_servers_end(begin, monkeypatch):
    def missing(_):
        raise FileNotFoundError("no such file")

    monkeypatch.setattr(Task, "make_trainer", missing)
    assert receive(begin()) == [Failure("FileNotFoundError: no such file")]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InklingError("a\n  b"), "a b"),
        (MemoryError(), "this takes more memory than there is: try fewer units or smaller batches"),
        (KeyError(), "KeyError"),
    ],
    ids=repr,
)
def test_errors_are_one_line(error, line):
    assert worker_module.one_line(error) == line
