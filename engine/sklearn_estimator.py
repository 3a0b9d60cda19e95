"""``NetworkClassifier``: Inkling's networks as a scikit-learn classifier, for pipelines, grid search and cross-validation.

scikit-learn is optional. Nothing else in the engine imports this module.
"""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.activations import Softmax
from engine.checks import InklingError, check_number, shown
from engine.config import Config
from engine.data import Dataset
from engine.layers import Activation, Dense, Dropout, Layer
from engine.losses import CrossEntropy
from engine.network import dense_layers
from engine.setting_fields import settings_of
from engine.training import Diverged, Trainer

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state, gen_batches
    from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError:
    raise ImportError("engine.sklearn_estimator needs scikit-learn 1.6 or newer: pip install -U scikit-learn") from None

_DEFAULT = Config()


class _WeightedTrainer(Trainer):
    """A trainer for which each sample of the training set counts as much as its weight, (N,), with a mean of 1."""

    weights: npt.NDArray | None = None
    _batch_weights = np.empty(0)  # of the samples of the batch that are still to come

    def _next_batch(self) -> tuple[npt.NDArray, npt.NDArray]:
        if self.weights is not None:
            self._batch_weights = self.weights[self.order[self.position : self.position + self.batch_size]]
            self.loss = self._weighted_loss
        return super()._next_batch()

    def _weighted_loss(self, outputs: npt.NDArray, labels: npt.NDArray, smoothing: float = 0.0) -> tuple[float, npt.NDArray]:
        """The mean of the weighted cross-entropies, and its gradient; the validation set has no weights."""
        loss, gradient = CrossEntropy()(outputs, labels, smoothing)
        if not self._batch_weights.size:
            return loss, gradient
        weights, self._batch_weights = np.split(self._batch_weights, [len(labels)])
        log_probabilities = _log_softmax(outputs)[np.arange(len(labels)), labels]
        return -float((weights * log_probabilities).mean()), gradient * weights[:, None]


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron trained on cross-entropy, for any number of features and classes and any kind of label.

    Features should be scaled to about unit variance (``StandardScaler``).

    ``GridSearchCV(..., n_jobs=2)`` and the like train in several processes. Within ``joblib.parallel_config("dask")`` or
    ``("ray")`` they train on other machines, where Inkling must be installed, too.

    Fitting sets ``classes_`` (K,), ``network_`` (the ``Network``), ``history_`` (the ``EpochEnd`` of each epoch),
    ``n_iter_`` (the number of epochs), ``n_features_in_`` and, if features have names, ``feature_names_in_``.
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (128,),
        activation: str = "relu",
        *,
        initializer: str = "he_normal",
        optimizer: str = _DEFAULT.optimizer,
        learning_rate: float = _DEFAULT.learning_rate,
        schedule: str = _DEFAULT.schedule,
        momentum: float = _DEFAULT.momentum,
        weight_decay: float = _DEFAULT.weight_decay,
        dropout: float = 0.0,
        batch_size: int | None = 64,
        epochs: int = 100,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.initializer = initializer
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new network on samples X (N, D) and their labels y (N,); return the classifier.

        ``sample_weight`` (N,) says how much each sample counts. With ``warm_start`` the training begins with the weights of
        the last one, whose classes and layers must be the same. Raises ``InklingError`` (a ``ValueError``) for an invalid
        hyperparameter, and if the training diverges.
        """
        start = self.network_ if self.warm_start and hasattr(self, "network_") else None
        X, y = map(np.asarray, validate_data(self, X, y, dtype=np.float32, reset=start is None))
        check_classification_targets(y)
        classes = np.unique(y)
        if start is not None and not np.array_equal(classes, self.classes_):
            before, now = shown(self.classes_.tolist()), shown(classes.tolist())
            raise InklingError(f"warm_start needs the classes of the last fit, {before}, got {now}")
        self.classes_, self._optimizer = classes, None
        samples, weights = self._samples(X, y, sample_weight)
        trainer = _WeightedTrainer.from_config(self._config(*samples.images.shape), samples, start)
        self._train(trainer, weights)
        self.history_, self.n_iter_ = list(trainer.history), len(trainer.history)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on samples X (N, D) and their labels y (N,), from where the last call ended.

        The first call needs ``classes``, all that will ever come. ``epochs``, ``patience`` and ``schedule`` do not matter.
        The optimizer goes on, too, except after ``fit``, which does not keep it, or if ``optimizer`` was changed. Returns
        the classifier.
        """
        if not hasattr(self, "network_"):  # no call has succeeded: this one is the first
            vars(self).pop("classes_", None)
        is_first = _check_partial_fit_first_call(self, classes)
        X, y = map(np.asarray, validate_data(self, X, y, dtype=np.float32, reset=is_first))
        check_classification_targets(y)
        if unknown := np.setdiff1d(y, self.classes_).tolist():
            raise InklingError(f"y must be among the classes of the first call, got {shown(unknown)}")
        if is_first:
            self.history_, self.n_iter_, self._optimizer = [], 0, None
        samples, weights = self._samples(X, y, sample_weight)
        config = replace(
            self._config(*samples.images.shape), epochs=1, patience=None, validation_size=0, schedule="constant"
        )
        config = replace(config, seed=config.seed + self.n_iter_)  # another order in each call
        trainer = _WeightedTrainer.from_config(config, samples, None if is_first else self.network_)
        if self._optimizer is not None and type(self._optimizer) is type(trainer.optimizer):
            trainer.optimizer.steps = self._optimizer.steps
            for name, vector in trainer.optimizer.state.items():
                vector[:] = self._optimizer.state[name]
        self._train(trainer, weights)
        self._optimizer = trainer.optimizer
        self.n_iter_ += 1
        self.history_ = [*self.history_, *(event._replace(epoch=self.n_iter_) for event in trainer.history)]
        return self

    def predict_proba(self, X: Any) -> npt.NDArray:
        """Probabilities (N, K) of the classes, in the order of ``classes_``, for samples X (N, D)."""
        return Softmax().forward(self._logits(X))

    def predict_log_proba(self, X: Any) -> npt.NDArray:
        """The natural logarithms of ``predict_proba``; they stay finite where a probability is too small for a float."""
        return _log_softmax(self._logits(X))

    def predict(self, X: Any) -> npt.NDArray:
        """The most probable class of each sample of X (N, D), (N,)."""
        positions = self.predict_proba(X).argmax(axis=1)
        return self.classes_[positions]

    def _logits(self, X: Any) -> npt.NDArray:
        """The network's outputs (N, K), in float64.

        So the probabilities of a sample do not depend on the rest of its batch, and sum to 1 as closely as scikit-learn
        expects.
        """
        check_is_fitted(self, "network_")
        X = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        batches = (X[rows] for rows in gen_batches(len(X), self.network_.max_batch_size))
        return np.concatenate([self.network_.forward(batch) for batch in batches])

    def _samples(self, X: npt.NDArray, y: npt.NDArray, sample_weight: Any) -> tuple[Dataset, npt.NDArray | None]:
        """The samples that count, and their weights with a mean of 1; None if all count the same."""
        labels, weights = np.searchsorted(self.classes_, y), None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            X, labels, weights = X[weights > 0], labels[weights > 0], weights[weights > 0]
            weights = weights / weights.mean()
        return Dataset(X.view(), labels), weights  # pyright: ignore[reportArgumentType]  # a view: X stays writeable

    def _train(self, trainer: _WeightedTrainer, weights: npt.NDArray | None) -> None:
        """Run a training to its end, and keep its network."""
        if weights is not None:
            rows = trainer.train_set.rows
            trainer.weights = weights.astype(np.float32) if rows is None else weights[rows].astype(np.float32)
        for event in trainer:
            if isinstance(event, Diverged):
                raise InklingError(
                    f"training diverged in epoch {event.epoch}: try a smaller learning_rate than {self.learning_rate:g}, "
                    "or scale the features to unit variance"
                )
        self.network_ = trainer.result.copy()

    def _config(self, samples: int, features: int) -> Config:
        validation_size = 0
        if self.patience is not None:
            fraction = check_number("validation_fraction", self.validation_fraction, 0, 0.9, open_low=True)
            validation_size = max(1, round(fraction * samples))
            if validation_size == samples:
                raise InklingError("patience needs samples to train on and others for validation, got 1 sample")
        return Config(
            layers=self._layers(),
            input_shape=(features,),
            train_size=samples,
            validation_size=validation_size,
            seed=check_random_state(self.random_state).randint(2**31),
            **{name: value for name, value in self.get_params(deep=False).items() if name in settings_of(Config)},
        )

    def _layers(self) -> tuple[Layer, ...]:
        hidden = np.ravel(self.hidden).tolist()
        return dense_layers(hidden, self.activation, self.initializer, len(self.classes_), self.dropout)


def _log_softmax(logits: npt.NDArray) -> npt.NDArray:
    """The natural logarithm of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _parameters() -> str:
    """The docstring's section about the parameters, made from the descriptions of the settings."""
    described: dict[str, Any] = settings_of(Config) | {
        "activation": settings_of(Activation)["function"],
        "initializer": settings_of(Dense)["initializer"],
        "dropout": settings_of(Dropout)["rate"],
    }
    texts = {name: setting.help for name, setting in described.items()}
    texts["batch_size"] += f" None means {described['batch_size'].none}."
    texts["patience"] += " None trains for all epochs, on all samples."
    texts |= {
        "hidden": "Units of each hidden layer. With ``()`` the classifier is a logistic regression.",
        "validation_fraction": "The fraction of the samples that is used for early stopping. Only used with ``patience``.",
        "warm_start": "Whether ``fit`` begins with the weights of the last ``fit``, instead of random ones.",
        "random_state": "As everywhere in scikit-learn: an int makes the result reproducible.",
    }
    parameters = inspect.signature(NetworkClassifier).parameters.values()
    rows = (f"{p.name} : default {p.default!r}\n    {texts[p.name]}" for p in parameters)
    return "\n".join(("Parameters", "----------", *rows))


NetworkClassifier.__doc__ = f"{inspect.cleandoc(NetworkClassifier.__doc__ or '')}\n\n{_parameters()}\n"
