"""The same drawing as predicted by every network."""

from collections import Counter
from html import escape

import numpy as np
import numpy.typing as npt
import streamlit as st

from engine import Network, prepare
from ui import TRAIN_PAGE, glossary, networks, state
from ui.class_names import reads_digits, short, with_article
from ui.draw.prediction import Prediction, chance, either, predict
from ui.translation import _, ngettext


def show(network: Network, image: npt.NDArray[np.uint8]) -> None:
    """The panel."""
    seen, names = prepare(image), network.class_names
    candidates = {key: one for key, one in networks.candidates().items() if one.network.class_names == names}
    predictions = [predict(candidate.network, [seen])[0] for candidate in candidates.values()]
    rows = "".join(map(_row, candidates.items(), predictions))
    bars = _("All ten digits") if reads_digits(network) else _("Likeliest classes")
    titles = (_("Network"), _("Prediction"), _("Confidence"), bars)
    heads = "".join(f'<th scope="col">{glossary.explain(title)}</th>' for title in titles)
    st.html(
        f"<p>{escape(agreement(predictions))}</p>"
        f'<table class="inkling-networks"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
    )
    if not reads_digits(network):
        st.caption(_("Only networks that tell the same classes apart can be compared."))
    elif len(candidates) == len(networks.shipped_networks()[0]):
        st.caption(
            _(
                "So far you see the networks that come with Inkling. Those that you train or upload are added, even in "
                "training."
            )
        )
        st.page_link(TRAIN_PAGE, label=_("Train a weak network to see it fail"), icon=":material/arrow_forward:")


def agreement(predictions: list[Prediction]) -> str:
    """Whether the networks agree, in one sentence."""
    if len(predictions) == 1:
        return _("There is only one network. Its prediction: {prediction}.").format(prediction=predictions[0].text)
    counts = Counter(prediction.name for prediction in predictions if prediction.is_sure)
    num_unsure = len(predictions) - counts.total()
    if not counts:
        return _("No network is sure what this is.")
    if len(counts) == 1 and not num_unsure:
        text = _("Both read {name}.") if len(predictions) == 2 else _("All {count} read {name}.")
        return text.format(count=len(predictions), name=with_article(predictions[0].name))
    votes = [
        ngettext("{count} reads {name}", "{count} read {name}", count).format(count=count, name=with_article(name))
        for name, count in counts.most_common()
    ]
    if num_unsure:
        votes.append(ngettext("{count} is not sure", "{count} are not sure", num_unsure).format(count=num_unsure))
    return _("They disagree: {votes}.").format(votes=", ".join(votes))


def _row(item: tuple[str, networks.Candidate], prediction: Prediction) -> str:
    name, candidate = item
    notes = (candidate.status, _("chosen above") if name == state.value("network") else "")
    small = "".join(f"<br><small>{note}</small>" for note in notes if note)
    sure = chance(prediction.confidence)
    if not prediction.is_sure:
        candidates = either([escape(prediction.names[label]) for label in prediction.candidates])
        sure = f"{_('not sure')}<br><small>{candidates or _('the likeliest')}, {sure}</small>"
    return (
        f'<tr><th scope="row">{escape(candidate.label)}{small}</th>'
        f'<td class="sign{"" if prediction.is_sure else " doubt"}">{escape(short(prediction.symbol))}</td>'
        f"<td>{sure}</td><td>{prediction.chart()}</td></tr>"
    )
