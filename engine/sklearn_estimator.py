"""``NetworkClassifier``: Inkling's networks as a scikit-learn classifier, for pipelines, grid search and cross-validation.

scikit-learn is optional. Nothing else in the engine imports this module.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.activations import Softmax
from engine.checks import InklingError, check_number
from engine.config import Config
from engine.data import Dataset
from engine.layers import Activation, Dense, Dropout, Layer
from engine.network import dense_layers
from engine.setting_fields import settings_of
from engine.training import Diverged, Trainer

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state, gen_batches
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise ImportError("engine.sklearn_estimator needs scikit-learn 1.6 or newer: pip install -U scikit-learn") from None

_DEFAULT = Config()


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron trained on cross-entropy, for any number of features and classes and any kind of label.

    Features should be scaled to about unit variance (``StandardScaler``).

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
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train a new network on samples X (N, D) and their labels y (N,); return the classifier.

        Raises ``InklingError`` (a ``ValueError``) for an invalid hyperparameter, and if the training diverges.
        """
        X, y = map(np.asarray, validate_data(self, X, y, dtype=np.float32))
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        samples = Dataset(X.view(), labels)  # pyright: ignore[reportArgumentType]  # a view: X stays writeable
        trainer = Trainer.from_config(self._config(*X.shape), samples)
        for event in trainer:
            if isinstance(event, Diverged):
                raise InklingError(
                    f"training diverged in epoch {event.epoch}: try a smaller learning_rate than {self.learning_rate:g}, "
                    "or scale the features to unit variance"
                )
        self.network_ = trainer.result.copy()
        self.history_, self.n_iter_ = list(trainer.history), len(trainer.history)
        return self

    def predict_proba(self, X: Any) -> npt.NDArray:
        """Probabilities (N, K) of the classes, in the order of ``classes_``, for samples X (N, D)."""
        check_is_fitted(self)
        # In float64 the probabilities of a sample do not depend on the rest of its batch, and sum to 1 as closely as
        # scikit-learn expects.
        X = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        batches = (X[rows] for rows in gen_batches(len(X), self.network_.max_batch_size))
        return np.concatenate([Softmax().forward(self.network_.forward(batch)) for batch in batches])

    def predict(self, X: Any) -> npt.NDArray:
        """The most probable class of each sample of X (N, D), (N,)."""
        positions = self.predict_proba(X).argmax(axis=1)
        return self.classes_[positions]

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
        layers = []
        for layer in dense_layers(np.ravel(self.hidden).tolist(), self.activation, self.initializer, len(self.classes_)):
            layers.append(layer)
            if self.dropout and isinstance(layer, Activation):
                layers.append(Dropout(self.dropout))
        return tuple(layers)


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
        "random_state": "As everywhere in scikit-learn: an int makes the result reproducible.",
    }
    parameters = inspect.signature(NetworkClassifier).parameters.values()
    rows = (f"{p.name} : default {p.default!r}\n    {texts[p.name]}" for p in parameters)
    return "\n".join(("Parameters", "----------", *rows))


NetworkClassifier.__doc__ = f"{inspect.cleandoc(NetworkClassifier.__doc__ or '')}\n\n{_parameters()}\n"
