"""Preconditioning around a guess: the denoiser predicts a correction to a picture that is known in advance.

Assume x_0 is a guess p plus a Gaussian error of standard deviation s. Then x_t = a x_0 + n e (a and n: the shares of
signal and noise, a^2 + n^2 = 1) gives the best estimate of x_0 and its remaining error; the denoiser F predicts the
rest, in units of that error. This is the preconditioning of Karras et al. (EDM, arXiv:2206.00364, section 5), with
mean p instead of 0, and written for the velocity v = a e - n x_0 (Salimans and Ho, arXiv:2202.00512):

    v = n / d (a (1 - s^2) x_t - p) + s / sqrt(d) F,    d = a^2 s^2 + n^2

At full noise the correction is s F, which is small; without noise it is F. So the errors of a denoiser that is not
fully trained appear only where the picture is uncertain, not as tints or grain everywhere.
"""

from torch import Tensor

from palsykit.interfaces import Guess


def corrected(guess: Guess, output: Tensor, x_t: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """The velocity v [B, 3, H, W] from the denoiser's ``output``; signal (a) and sigma (n): [B, 1, 1, 1]."""
    error = guess.error[:, None, None, None]
    spread = (signal * error).square() + sigma.square()
    known = sigma / spread * (signal * (1 - error.square()) * x_t - guess.image)
    return known + output_scale(error, signal, sigma) * output


def output_scale(error: Tensor, signal: Tensor, sigma: Tensor) -> Tensor:
    """s / sqrt(a^2 s^2 + n^2): the error of the estimate of x_0 from only guess and x_t, in units of n."""
    return error / ((signal * error).square() + sigma.square()).sqrt()
