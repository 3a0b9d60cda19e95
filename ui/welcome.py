"""What a new visitor sees first: what Inkling is, and three doors: draw, train, understand."""

import streamlit as st

from ui import HOW_PAGE, TRAIN_PAGE, glossary
from ui.state import session
from ui.translation import N_, _

ANSWER_IN_FIVE_STEPS = (
    N_(
        "Your ink is cut out, made 20 pixels high or wide, and centred on a sheet of 28 x 28 pixels. The digits that the "
        "network has learned from were all made this way."
    ),
    N_(
        "The brightness of each of the 784 pixels is a number. The first layer multiplies these numbers by its weights and "
        "adds them up, which gives a new number for each unit."
    ),
    N_(
        "Each layer does the same with the numbers of the layer before it: the first ones find short lines and bends, the "
        "later ones shapes that are made of these."
    ),
    N_(
        "The last layer has ten units, one for each digit. Softmax turns their scores into the ten probabilities that you "
        "see as bars."
    ),
    N_(
        "Nobody has written the weights: in training, the network saw thousands of digits, and after each batch all weights "
        "were changed a little, so that the right answers became more likely."
    ),
)


def show_welcome() -> None:
    """The title of the Draw page, what Inkling is in one sentence, and the doors."""
    with st.container(key="welcome", horizontal=True, vertical_alignment="bottom"):
        with st.container(key="what-it-is", width="content"):
            st.title(_("Inkling: draw a digit"), anchor=False)
            st.html("<p>{}</p>".format(_("A neural network written from scratch in NumPy reads what you draw.")))
        _show_doors()


@st.fragment
def _show_doors() -> None:
    with st.container(key="doors", horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.html("<p class='inkling-here'>{}</p>".format(_("<b>Draw</b> in the square")), width="content")
        st.page_link(TRAIN_PAGE, label=_("Train your own"), width="content")
        st.button(_("Understand it"), type="tertiary", on_click=_explain)
        if session().explains:
            session().explains = False
            how_it_works()


def _explain() -> None:
    session().explains = True


def how_it_works() -> None:
    """A dialog: from the ink to the answer in five sentences, and all technical words."""
    st.dialog(_("How it works"), width="medium", icon=":material/lightbulb:")(_explanation)()


def _explanation() -> None:
    st.markdown("\n".join(f"{number}. {_(step)}" for number, step in enumerate(ANSWER_IN_FIVE_STEPS, 1)))
    st.markdown(
        _(
            "All of this, the training too, is written from scratch in NumPy, a library for calculating with tables of "
            "numbers: no machine-learning library is used."
        )
    )
    st.page_link(HOW_PAGE, label=_("Take one training step by hand, and see every number"), icon=":material/network_node:")
    st.markdown("**{}**".format(_("All technical words")))
    for title, words in glossary.sections().items():
        entries = "".join(f"<dt>{word}</dt><dd>{meaning}</dd>" for word, meaning in words.items())
        with st.expander(title):
            st.html(f'<dl class="inkling-glossary">{entries}</dl>')
