"""``NetworkClassifier``: the engine as a scikit-learn classifier, for pipelines, grid search and cross-validation.

scikit-learn is optional. Nothing else in the engine imports this module.
"""

import numpy as np

from engine.activations import Softmax
from engine.checks import InklingError, check_number
from engine.config import Config
from engine.data import Dataset
from engine.layers import Activation, Dropout
from engine.network import dense_layers
from engine.training import Diverged, Trainer

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state, gen_batches
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise ImportError("engine.estimator needs scikit-learn 1.6 or newer: pip install -U scikit-learn") from None


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron trained on cross-entropy, for any number of features and classes and any kind of label.

    ``hidden`` has the units of each hidden layer; ``()`` makes it a logistic regression. ``dropout`` is the rate behind each
    of them. ``patience`` None trains for all ``epochs`` on all samples; a number of epochs holds ``validation_fraction`` of
    the samples back, stops when the loss on these has not improved for so long, and keeps the best network.
    ``random_state`` is as everywhere in scikit-learn; the others are as in ``Config``. Features should be scaled to about
    unit variance (``StandardScaler``).

    Fitting sets ``classes_`` (K,), ``network_`` (the ``Network``), ``history_`` (the ``EpochEnd`` of each epoch),
    ``n_iter_`` (the epochs that were run), ``n_features_in_`` and, where features have names, ``feature_names_in_``.
    """

    def __init__(
        self,
        hidden=(128,),
        activation="relu",
        *,
        initializer="he_normal",
        optimizer="adam",
        learning_rate=0.002,
        schedule="constant",
        momentum=0.9,
        weight_decay=0.0,
        dropout=0.0,
        batch_size=64,
        epochs=100,
        patience=None,
        validation_fraction=0.1,
        random_state=None,
    ):
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

    def fit(self, X, y):
        """Train a new network on samples X (N, D) and their labels y (N,); return the classifier.

        Raises ``InklingError`` (a ``ValueError``) for a hyperparameter that cannot work, and where training diverges.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        trainer = Trainer.from_config(self._config(*X.shape), Dataset(X.view(), labels))  # a view: X stays writeable
        for event in trainer:
            if isinstance(event, Diverged):
                raise InklingError(
                    f"training diverged in epoch {event.epoch}: try a smaller learning_rate than {self.learning_rate:g}, "
                    "or scale the features to unit variance"
                )
        self.network_ = trainer.result.copy()
        self.history_, self.n_iter_ = list(trainer.history), len(trainer.history)
        return self

    def predict_proba(self, X):
        """Probabilities (N, K) of the classes, in the order of ``classes_``, for samples X (N, D)."""
        check_is_fitted(self)
        # float64, in which a sample's probabilities do not depend on the batch around it and sum to 1 as closely as
        # scikit-learn expects
        X = validate_data(self, X, dtype=np.float64, reset=False)
        batches = (X[rows] for rows in gen_batches(len(X), self.network_.at_once))
        return np.concatenate([Softmax.forward(self.network_.forward(batch)) for batch in batches])

    def predict(self, X):
        """The likeliest class of each sample of X (N, D), (N,)."""
        readings = self.predict_proba(X).argmax(axis=1)
        return self.classes_[readings]

    def _config(self, samples, features):
        held_back = 0
        if self.patience is not None:
            fraction = check_number("validation_fraction", self.validation_fraction, 0, 0.9, open_low=True)
            held_back = max(1, round(fraction * samples))
            if held_back == samples:
                raise InklingError("patience needs samples to train on and others for validation, got 1 sample")
        return Config(
            layers=self._layers(),
            input_shape=(features,),
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            epochs=self.epochs,
            images=samples,
            validation_size=held_back,
            patience=self.patience,
            seed=check_random_state(self.random_state).randint(2**31),
        )

    def _layers(self):
        layers = []
        for layer in dense_layers(np.ravel(self.hidden).tolist(), self.activation, self.initializer, len(self.classes_)):
            layers.append(layer)
            if self.dropout and isinstance(layer, Activation):
                layers.append(Dropout(self.dropout))
        return tuple(layers)
