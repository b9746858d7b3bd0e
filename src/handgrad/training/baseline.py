"""What a trained model has to beat: the n-gram, which takes no training."""

from handgrad.data.dataset import Splits
from handgrad.data.vocabulary import Vocabulary
from handgrad.evaluation import mean_loss
from handgrad.models.forms import form_of
from handgrad.models.ngram import NGram
from handgrad.models.trained import Model, TextReference
from handgrad.training.pace import MEASURED
from handgrad.training.validation import head


def ngram_loss(splits: Splits, vocabulary: Vocabulary, text: TextReference) -> float:
    """The validation loss of an n-gram of the usual order that was counted on the training split, in nats."""
    network, form = NGram(vocabulary.size), form_of("ngram")
    buffers = form.calibrate(network, {}, splits.train.tokens, MEASURED)
    return mean_loss(Model(network, vocabulary, {}, buffers, text, 0), head(splits.val, MEASURED))
