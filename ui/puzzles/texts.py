"""What is said about each fault: where to look, what one sees with it, and why it does that."""

from typing import NamedTuple

from ui.translation import N_


class Texts(NamedTuple):
    """``where`` is the first hint, ``sign`` what one sees with this fault, ``why`` the reason, ``mended`` what was done."""

    where: str
    sign: str
    why: str
    mended: str


TEXTS: dict[str, Texts] = {
    "shifted_labels": Texts(
        N_("Compare the validation accuracy with the test accuracy. Then open Mistakes."),
        N_("Its validation accuracy is good. But it reads each digit of the test images as the next one."),
        N_(
            "The training labels were all one too large. The network learned exactly what it was told: to call a 3 a 4. The "
            "validation images have the same wrong labels, so they do not show it."
        ),
        N_("The training labels are right again."),
    ),
    "unscaled_pixels": Texts(
        N_("Look at the very first losses. By guessing, the loss is 2.3."),
        N_("The loss begins far above that of guessing, at its very first batch, and the gradients are huge."),
        N_(
            "Pixels from 0 to 255 went into the network. First weights are chosen for inputs up to 1, so all sums were 255 "
            "times too large."
        ),
        N_("The pixels are divided by 255."),
    ),
    "large_rate": Texts(
        N_("Look at how far a step moves the weights, in What it learned."),
        N_("The loss begins normally, shoots up after a few batches, and never comes down to where a network learns."),
        N_(
            "The learning rate was 100 times too large. The gradient says where the loss falls, but only nearby: each step "
            "jumped far over the valley."
        ),
        N_("The learning rate is a hundredth of what it was."),
    ),
    "unshuffled": Texts(
        N_("Look at the shape of the loss within an epoch."),
        N_("The training loss looks like a saw, with the same teeth in each epoch, while new images are read badly."),
        N_(
            "The images came sorted: first all zeros, then all ones. It learned to say one digit, then the next, and "
            "forgot the others."
        ),
        N_("The images are shuffled in each epoch."),
    ),
    "equal_weights": Texts(
        N_("Look at the pictures of the first layer, in What it learned."),
        N_("All units of the first layer look the same, or all of them stay empty."),
        N_(
            "All weights of a layer began with the same number. Then all units compute the same, get the same gradient, and "
            "stay copies of each other for ever."
        ),
        N_("The weights begin with different random numbers."),
    ),
    "dying_relu": Texts(
        N_("Count the pictures of the first layer that change, in What it learned."),
        N_("It learns a little, but with few units: most pictures of the first layer stay the random noise they began as."),
        N_(
            "Most units had a bias so far below 0 that no image switched them on. A ReLU that is off has slope 0, so "
            "no gradient ever wakes it."
        ),
        N_("All biases begin with 0."),
    ),
    "saturated_sigmoids": Texts(
        N_("How many layers are there, in What it learned? And what do the pictures of the first one look like?"),
        N_("There are many layers, the loss creeps, and the first layer stays the noise it began as."),
        N_(
            "The first weights were so large that nearly every sigmoid was at a flat end, at 0 or 1. There the slope is "
            "nearly 0, and six such layers let hardly any gradient through."
        ),
        N_("The six layers have ReLUs, and first weights that fit the size of each layer."),
    ),
    "softmax_twice": Texts(
        N_("Compare the loss with the accuracy. Does a loss fit that accuracy?"),
        N_("Many images are read right, but the loss stays above 1.46, and the network is never sure."),
        N_(
            "The network ended in a softmax, and the loss applied another one. The second one sees numbers from 0 to 1: "
            "even a perfect answer gets 23 % and a loss of 1.46."
        ),
        N_("The first of the two softmaxes is gone."),
    ),
    "leaked_test": Texts(
        N_("Compare the test accuracy with the validation accuracy."),
        N_("It reads the test images better than the validation images. Both should be new to it."),
        N_(
            "Many test images were among the training images. A network that has seen the questions and the answers passes "
            "any test: its accuracy says nothing about new images."
        ),
        N_("The test images are not in the training set. The test accuracy is lower now, and honest."),
    ),
    "large_decay": Texts(
        N_("Look at the pictures of the first layer while it trains, and at the predictions."),
        N_("The loss goes to that of guessing and stays there. Nothing explodes: each digit just gets 10 %."),
        N_(
            "Weight decay pulls every weight towards 0 in every step. Here it pulled harder than the loss: nothing that was "
            "learned could stay."
        ),
        N_("There is no weight decay."),
    ),
    "single_images": Texts(
        N_("Look at how much the training loss jumps from batch to batch."),
        N_("The loss of a batch jumps between nearly 0 and very large, and the weights move a lot in each step."),
        N_(
            "Each step followed a single image, with a large rate. One image is a bad guide: the next one pulled "
            "the weights somewhere else."
        ),
        N_("A step follows the mean of 16 images, at the usual rate."),
    ),
    "transposed_prediction": Texts(
        N_("Open Predictions, and look at the images themselves."),
        N_("Training and validation look fine, but the images that it has to read now lie on their side."),
        N_(
            "The training was right. But where the network was used, rows and columns were exchanged. It never "
            "learned to read those."
        ),
        N_("The test images stand upright."),
    ),
}
