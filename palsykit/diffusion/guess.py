"""A guess at the picture, corrected: what a denoiser has to say once something is known before it looks.

If x_0 is a guess p and a Gaussian error of standard deviation s, then x_t = a x_0 + n e (a and n: the shares of signal
and noise, a^2 + n^2 = 1) tells the best estimate of x_0 and how wrong it still is; the denoiser F says the rest, in
units of that. This is the preconditioning of Karras et al. (EDM, arXiv:2206.00364, section 5), whose p is 0, about
another mean, and written for the velocity v = a e - n x_0 (Salimans and Ho, arXiv:2202.00512):

    v = n / d (a (1 - s^2) x_t - p) + s / sqrt(d) F,    d = a^2 s^2 + n^2

Where noise hides everything the correction is s F, small; without noise it is F. So errors of a denoiser that is not
trained to its end show as errors of what is uncertain, and not as tints or grain all over the picture.
"""

from torch import Tensor

from palsykit.interfaces import Guess


def corrected(guess: Guess, output: Tensor, x_t: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """The velocity [B, 3, H, W] from the denoiser's ``output``; signal and sigma [B, 1, 1, 1]."""
    error = guess.error[:, None, None, None]
    spread = (signal * error).square() + sigma.square()
    known = sigma / spread * (signal * (1 - error.square()) * x_t - guess.image)
    return known + output_scale(error, signal, sigma) * output


def output_scale(error: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """s / sqrt(a^2 s^2 + n^2): how far the estimate of x_0 from guess and x_t alone is off, in units of n."""
    return error / ((signal * error).square() + sigma.square()).sqrt()
