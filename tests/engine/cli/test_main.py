import engine.cli.main as main_module


def test_no_command_and_unknown_command(refused):
    refused([])
    refused(["fly"], "fly")


def test_help_shows_every_command(run):
    status, out, _ = run("--help")
    assert status == 0
    for command in ("train", "calibrate", "recipes", "export", "evaluate", "predict", "samples", "data", "collect"):
        assert command in out
        assert run(command, "--help")[0] == 0


def test_too_little_memory_is_one_line(refused, model, monkeypatch):
    def fail(_):
        raise MemoryError

    monkeypatch.setattr(main_module.evaluate, "load_image_network", fail)
    refused(["evaluate", model], "more memory")
