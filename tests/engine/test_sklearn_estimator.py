"""The scikit-learn classifier, with scikit-learn's own checks; most tests need scikit-learn."""

import copy
import importlib.util
import inspect
import pickle
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from helpers import ROOT, need, outcome

from engine.checks import InklingError
from engine.config import Config
from engine.setting_fields import settings_of

INSTALLED = importlib.util.find_spec("sklearn") is not None
if INSTALLED:
    import joblib
    from sklearn.base import clone
    from sklearn.datasets import load_digits
    from sklearn.exceptions import NotFittedError
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.estimator_checks import parametrize_with_checks

    from engine.sklearn_estimator import NetworkClassifier

    NOT_EXACT = "weights and repetitions give other batches in another order; scikit-learn expects this of its own MLP, too"
    own_checks = parametrize_with_checks(
        [NetworkClassifier(), NetworkClassifier((16, 8), "tanh", optimizer="nesterov", dropout=0.1, patience=20)],
        expected_failed_checks=lambda estimator: {"check_sample_weight_equivalence_on_dense_data": NOT_EXACT},
    )
else:
    own_checks = pytest.mark.parametrize(("estimator", "check"), [(None, None)])


@pytest.fixture
def sklearn():
    if not INSTALLED:
        need("peers", "scikit-learn is not installed")


@pytest.fixture
def digits(sklearn):
    """600 of scikit-learn's 8 x 8 digits of all its writers, as 64 float features, and their labels."""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:600]
    return X[rows], y[rows]


@pytest.fixture
def blobs():
    """90 points of three linearly separable classes: two features of unit variance, labels 0 to 2."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    return np.array([[0, 2], [2, -1], [-2, -1]])[y] * 0.8 + rng.normal(0, 0.2, (90, 2)), y


needs_sklearn = pytest.mark.usefixtures("sklearn")


@needs_sklearn
@own_checks
def test_scikit_learns_own_check(estimator, check, monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it scikit-learn skips a check
    check(estimator)


def test_it_learns_digits_in_a_pipeline(digits):
    X, y = digits
    model = make_pipeline(StandardScaler(), NetworkClassifier((32,), epochs=20, random_state=0))
    assert cross_val_score(model, X, y, cv=3).min() > 0.85
    shuffled = np.random.default_rng(0).permutation(y)
    assert cross_val_score(model, X, shuffled, cv=3).max() < 0.3  # random labels cannot be predicted


def test_grid_search_finds_the_rate_that_learns(digits):
    X, y = digits
    model = make_pipeline(StandardScaler(), NetworkClassifier((32,), epochs=10, random_state=0))
    rates, hidden = [1e-6, 0.01], [(), (24,)]
    grid = {"networkclassifier__learning_rate": rates, "networkclassifier__hidden": hidden}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_params_["networkclassifier__learning_rate"] == 0.01
    assert search.best_score_ > 0.85
    chosen = search.best_params_["networkclassifier__hidden"]
    shapes = [layer.W.shape for layer in search.best_estimator_[-1].network_.layers if hasattr(layer, "W")]
    assert shapes == ([(64, 24), (24, 10)] if chosen else [(64, 10)])


@needs_sklearn
@pytest.mark.parametrize(
    "names",
    [
        np.array(["ant", "bee", "cat"]),
        np.array([-1.0, 0.0, 7.0]),
        np.array([10**12, -(10**12), 3]),
        np.array(["ant", "bee", "a long name"], object),
    ],
    ids=["strings", "floats", "large integers", "objects"],
)
def test_labels_of_any_type_are_predicted(blobs, names):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=60, learning_rate=0.02, random_state=0).fit(X, names[y])
    np.testing.assert_array_equal(model.classes_, np.unique(names))
    predicted = model.predict(X)
    assert predicted.dtype == names[y].dtype
    np.testing.assert_array_equal(predicted, names[y])
    assert model.score(X, names[y]) == 1


@needs_sklearn
def test_two_classes_and_a_single_class(blobs):
    X, y = blobs
    two = NetworkClassifier((8,), epochs=60, learning_rate=0.02, random_state=0).fit(X, y == 1)
    assert two.predict_proba(X).shape == (90, 2)
    np.testing.assert_array_equal(two.predict(X), y == 1)
    single = NetworkClassifier((8,), epochs=3).fit(X, np.full(90, "same"))
    assert set(single.predict(X)) == {"same"}
    np.testing.assert_array_equal(single.predict_proba(X), np.ones((90, 1)))


@needs_sklearn
def test_probabilities_are_those_of_the_network(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=10, random_state=0).fit(X, y)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(probabilities, model.network_.probabilities(X.astype(np.float32)), atol=1e-5)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    one_by_one = np.concatenate([model.predict_proba(row[None]) for row in X])
    np.testing.assert_allclose(one_by_one, probabilities, rtol=1e-12)


@needs_sklearn
def test_many_samples_are_predicted_in_batches(blobs, monkeypatch):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=3, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    monkeypatch.setattr(model.network_, "max_batch_size", 7)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)


@needs_sklearn
def test_random_state_is_all_the_randomness(blobs):
    X, y = blobs
    settings = {"hidden": (8,), "epochs": 3, "batch_size": 16, "dropout": 0.3}

    def state_vector(state):
        return NetworkClassifier(**settings, random_state=state).fit(X, y).network_.state_vector

    np.testing.assert_array_equal(state_vector(1), state_vector(1))
    np.testing.assert_array_equal(state_vector(np.random.RandomState(1)), state_vector(1))
    assert not np.array_equal(state_vector(1), state_vector(2))
    assert not np.array_equal(state_vector(None), state_vector(None))
    generator = np.random.RandomState(1)
    assert not np.array_equal(state_vector(generator), state_vector(generator))  # a generator continues, as in scikit-learn


@needs_sklearn
def test_every_hyperparameter_reaches_the_training(blobs):
    X, y = blobs
    base = {"hidden": (8,), "epochs": 4, "batch_size": 16, "optimizer": "momentum", "random_state": 0}
    plain = NetworkClassifier(**base).fit(X, y).network_.state_vector
    for change in (
        {"activation": "tanh"},
        {"initializer": "glorot_uniform"},
        {"optimizer": "sgd"},
        {"learning_rate": 0.003},
        {"schedule": "cosine"},
        {"momentum": 0.5},
        {"weight_decay": 0.1},
        {"dropout": 0.5},
        {"batch_size": None},
        {"epochs": 5},
        {"patience": 2},
    ):
        changed = NetworkClassifier(**base | change).fit(X, y).network_.state_vector
        assert not np.array_equal(changed, plain), change
    assert (
        NetworkClassifier(**base | {"hidden": [4, 4]}).fit(X, y).network_.state_vector.size
        == 2 * 4 + 4 + 4 * 4 + 4 + 4 * 3 + 3
    )
    assert NetworkClassifier(**base | {"hidden": 8}).fit(X, y).network_.state_vector.size == plain.size


@needs_sklearn
def test_log_probabilities_are_exact_where_probabilities_vanish(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=10, random_state=0).fit(X, y)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-12)
    far = model.predict_log_proba(X * 1e6)
    assert np.isfinite(far).all()
    assert (model.predict_proba(X * 1e6) == 0).any()


@needs_sklearn
@pytest.mark.parametrize("settings", [{}, {"patience": 50}, {"weight_decay": 0.01, "optimizer": "momentum"}])
def test_weights_count_as_repetitions_do(blobs, settings):
    X, y = blobs
    weights = np.random.default_rng(1).integers(0, 4, len(y))
    model = NetworkClassifier((8,), epochs=20, batch_size=None, validation_fraction=0.1, random_state=0, **settings)
    weighted = clone(model).fit(X, y, sample_weight=weights).predict_proba(X)
    plain = clone(model).fit(X, y).predict_proba(X)
    scaled = clone(model).fit(X, y, sample_weight=weights * 7.5).predict_proba(X)
    np.testing.assert_allclose(scaled, weighted, atol=1e-5)
    assert np.abs(weighted - plain).max() > 0.001
    if "patience" not in settings:  # otherwise the validation sets differ
        repeated = clone(model).fit(X.repeat(weights, axis=0), y.repeat(weights)).predict_proba(X)
        np.testing.assert_allclose(weighted, repeated, atol=1e-4)
    ones = clone(model).fit(X, y, sample_weight=np.ones(len(y))).predict_proba(X)
    np.testing.assert_allclose(ones, plain, atol=1e-6)


@needs_sklearn
def test_weights_hold_in_batches_of_any_size_and_in_their_parts(blobs, monkeypatch):
    X, y = blobs
    weights = np.where(y == 2, 1e-9, 1.0)  # as good as absent
    for batch_size in (7, None):
        model = NetworkClassifier((8,), epochs=60, learning_rate=0.02, batch_size=batch_size, random_state=0)
        model.fit(X, y, sample_weight=weights)
        assert model.score(X[y != 2], y[y != 2]) == 1
        assert (model.predict_proba(X)[:, 2] < 0.01).any()
    whole = model.predict_proba(X)
    monkeypatch.setattr("engine.network.WORKING_NUMBERS", 200)  # the batch of all samples is worked on in parts
    parts = model.fit(X, y, sample_weight=weights)
    assert parts.network_.max_batch_size < len(y)
    np.testing.assert_allclose(parts.predict_proba(X), whole, atol=1e-3)


@needs_sklearn
def test_partial_fits_are_the_epochs_of_a_fit(blobs):
    X, y = blobs
    names = np.array(["ant", "bee", "cat"])[y]
    model = NetworkClassifier((8,), batch_size=None, epochs=12, optimizer="adam", random_state=0)
    whole = clone(model).fit(X, names)
    stream = clone(model).partial_fit(X, names, classes=["cat", "bee", "ant"])
    for _ in range(11):
        stream.partial_fit(X, names)
    np.testing.assert_allclose(stream.predict_proba(X), whole.predict_proba(X), atol=1e-4)
    assert stream.n_iter_ == 12
    assert [event.epoch for event in stream.history_] == list(range(1, 13))
    np.testing.assert_allclose([e.loss for e in stream.history_], [e.loss for e in whole.history_], rtol=1e-4)


@needs_sklearn
def test_a_first_partial_fit_that_fails_leaves_the_classifier_as_it_was(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), random_state=0)
    assert "y must be among the classes" in outcome(InklingError, model.partial_fit, X, y, [7, 8])[1]
    with pytest.raises(NotFittedError):
        model.predict(X)
    model.partial_fit(X, y, classes=np.unique(y))
    expected = NetworkClassifier((8,), random_state=0).partial_fit(X, y, classes=np.unique(y))
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


@needs_sklearn
def test_the_optimizer_can_be_changed_between_two_partial_fits(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), random_state=0, optimizer="sgd").partial_fit(X, y, classes=np.unique(y))
    before = model.history_[-1].loss
    for optimizer in ("adam", "momentum"):
        model.set_params(optimizer=optimizer, learning_rate=0.01).partial_fit(X, y)
    assert model.n_iter_ == 3
    assert model.history_[-1].loss < before


@needs_sklearn
def test_partial_fit_learns_from_parts_that_lack_classes(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), learning_rate=0.02, random_state=0)
    for _ in range(60):
        for label in (0, 1, 2):
            model.partial_fit(X[y != label], y[y != label], classes=[0, 1, 2])
    assert model.score(X, y) == 1
    error = outcome(InklingError, model.partial_fit, X, y + 1)[1]
    assert error == "y must be among the classes of the first call, got [3]"
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        NetworkClassifier().partial_fit(X, y)


@needs_sklearn
def test_a_warm_start_continues(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=5, warm_start=True, random_state=0).fit(X, y)
    first = model.history_[-1].loss
    assert model.fit(X, y).history_[0].loss < first * 1.05
    assert clone(model).fit(X, y).history_[0].loss > first
    error = outcome(InklingError, model.fit, X, y + 5)[1]
    assert error == "warm_start needs the classes of the last fit, [0, 1, 2], got [5, 6, 7]"


@needs_sklearn
@pytest.mark.parametrize(
    ("weights", "message"), [([0] * 90, "at least one non-zero number"), ([-1] * 90, "Negative values")]
)
def test_weights_that_cannot_be_are_refused(blobs, weights, message):
    with pytest.raises(ValueError, match=message):
        NetworkClassifier((8,), epochs=1).fit(*blobs, sample_weight=weights)


@needs_sklearn
def test_a_search_in_several_processes_finds_the_same(digits):
    X, y = digits
    model = NetworkClassifier((16,), epochs=3, random_state=0)
    grid = {"learning_rate": [1e-4, 0.01]}
    alone = GridSearchCV(model, grid, cv=2).fit(X / 16, y)
    with joblib.parallel_config(backend="loky"):
        shared = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X / 16, y)
    np.testing.assert_array_equal(shared.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert shared.best_params_ == {"learning_rate": 0.01}


def test_optunas_search_finds_the_rate_that_learns(digits):
    if not importlib.util.find_spec("optuna_integration"):
        need("peers", "optuna-integration is not installed")
    import optuna
    from optuna_integration import OptunaSearchCV

    X, y = digits
    rates = {"learning_rate": optuna.distributions.FloatDistribution(1e-6, 0.1, log=True)}
    with warnings.catch_warnings(action="ignore"):  # Optuna calls it experimental
        search = OptunaSearchCV(NetworkClassifier((16,), epochs=3, random_state=0), rates, cv=2, n_trials=6, random_state=0)
        search.fit(X / 16, y)
    assert search.best_score_ > 0.5
    assert 1e-4 < search.best_params_["learning_rate"] < 0.1


@needs_sklearn
def test_the_history_has_every_epoch(blobs):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=30, random_state=0).fit(X, y)
    assert [event.epoch for event in model.history_] == list(range(1, 31))
    assert model.n_iter_ == 30
    assert model.history_[-1].loss < 0.5 * model.history_[0].loss
    assert model.history_[-1].validation_loss is None  # without patience all samples are trained on


@needs_sklearn
def test_patience_stops_early_and_returns_the_best_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 2, 60)  # random labels can only be memorised
    model = NetworkClassifier((64,), learning_rate=0.02, epochs=500, patience=5, validation_fraction=0.25, random_state=0)
    model.fit(X, y)
    losses = [event.validation_loss for event in model.history_]
    assert model.n_iter_ == len(losses) < 500
    assert np.argmin(losses) == len(losses) - 1 - 5
    assert {round(event.validation_accuracy * 15, 6) % 1 for event in model.history_} == {0}  # a quarter of 60 is 15
    best = model.set_params(epochs=int(np.argmin(losses)) + 1).fit(X, y).network_.state_vector
    np.testing.assert_array_equal(best, clone(model).set_params(epochs=500).fit(X, y).network_.state_vector)


@needs_sklearn
def test_the_samples_do_not_change(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    before = X.copy()
    NetworkClassifier((8,), epochs=2).fit(X, y).predict(X)
    np.testing.assert_array_equal(X, before)
    assert X.flags.writeable
    assert y.flags.writeable


@needs_sklearn
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_a_copy_is_complete_and_independent(blobs, duplicate):
    X, y = blobs
    model = NetworkClassifier((8,), epochs=3, dropout=0.2, random_state=0).fit(X, y)
    probabilities = model.predict_proba(X)
    twin = duplicate(model)
    np.testing.assert_array_equal(twin.predict_proba(X), probabilities)
    twin.network_.state_vector[:] = 0  # the layers of the copy are views of its own vector
    np.testing.assert_allclose(twin.predict_proba(X), 1 / 3)
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)


@needs_sklearn
def test_a_pickle_has_the_weights_once(blobs):
    X, y = blobs
    model = NetworkClassifier((300, 300), epochs=1).fit(X, y)
    assert len(pickle.dumps(model)) < 1.1 * model.network_.state_vector.nbytes


@needs_sklearn
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": -1}, "learning_rate must be in (0, 10], got -1"),
        ({"hidden": (0,)}, "units must be a whole number from 1 to 65,536, got 0"),
        ({"hidden": ("a",)}, "units must be a whole number from 1 to 65,536, got 'a'"),
        ({"dropout": 1}, "rate must be in [0, 0.95], got 1"),
        ({"epochs": 0}, "epochs must be a whole number from 1 to 100,000, got 0"),
        ({"patience": 2, "validation_fraction": 0}, "validation_fraction must be in (0, 0.9], got 0"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of sgd, momentum, nesterov, rmsprop, adam, adamw, got 'lbfgs'"),
    ],
)
def test_fit_refuses_invalid_hyperparameters(blobs, change, message):
    assert outcome(InklingError, NetworkClassifier().set_params(**change).fit, *blobs)[1] == message


@needs_sklearn
def test_one_sample_cannot_be_split_for_validation():
    error = outcome(InklingError, NetworkClassifier(patience=1).fit, [[1.0, 2.0]], ["a"])[1]
    assert error == "patience needs samples to train on and others for validation, got 1 sample"
    assert NetworkClassifier(epochs=1).fit([[1.0, 2.0]], ["a"]).predict([[5, 5]]).tolist() == ["a"]


@needs_sklearn
def test_divergence_is_an_error(blobs):
    X, y = blobs
    model = NetworkClassifier((8, 8), optimizer="sgd", learning_rate=10, random_state=0)
    error = outcome(InklingError, model.fit, X * 1e15, y)[1]
    assert re.match(r"training diverged in epoch \d: try a smaller learning_rate than 10, or scale the features", error)


@needs_sklearn
def test_predicting_before_fitting_is_an_error(blobs):
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(NetworkClassifier(), method)(blobs[0])


def test_it_is_as_good_as_scikit_learns_own_network(digits):
    X, y = digits
    ours = NetworkClassifier((32,), learning_rate=0.005, batch_size=32, epochs=20, random_state=0)
    theirs = MLPClassifier((32,), learning_rate_init=0.005, batch_size=32, max_iter=20, random_state=0)
    with warnings.catch_warnings(action="ignore"):  # scikit-learn's has not converged
        losses = [-cross_val_score(model, X / 16, y, cv=3, scoring="neg_log_loss").mean() for model in (ours, theirs)]
    assert losses[0] < 1.3 * losses[1] < 0.4


def run(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_importing_the_engine_imports_neither_scikit_learn_nor_the_slow_parts_of_scipy():
    unwanted = "sys.modules.keys() & {'sklearn', 'scipy.stats', 'scipy.optimize'}"
    assert run(f"import sys, engine, engine.cli.main; print({unwanted})") == (0, "set()", "")


def test_nothing_else_imports_the_estimator():
    for path in [*ROOT.glob("engine/**/*.py"), *ROOT.glob("ui/**/*.py"), ROOT / "streamlit_app.py"]:
        imports = re.search(r"import.*\bsklearn_estimator\b|\bengine\.sklearn_estimator\b", path.read_text())
        assert not imports or path.name == "sklearn_estimator.py", path


@needs_sklearn
def test_the_documentation_explains_every_parameter_with_the_text_of_its_setting():
    text = NetworkClassifier.__doc__
    for name, parameter in inspect.signature(NetworkClassifier).parameters.items():
        assert f"{name} : default {parameter.default!r}\n    " in text
        if name in settings_of(Config):
            assert settings_of(Config)[name].help in text


def test_without_scikit_learn_the_error_says_what_to_install():
    status, _, error = run("import sys; sys.modules['sklearn'] = None; import engine.sklearn_estimator")
    assert status == 1
    assert (
        error.splitlines()[-1]
        == "ImportError: engine.sklearn_estimator needs scikit-learn 1.6 or newer: pip install -U scikit-learn"
    )
    assert "ModuleNotFoundError" not in error
