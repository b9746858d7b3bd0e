import pytest
import torch

from handgrad.ops import embedding_backward, embedding_forward


def test_a_token_used_twice_receives_both():
    _, cache = embedding_forward(torch.zeros(3, 2), torch.tensor([[2, 0], [2, 2]]))
    dC = embedding_backward(torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]), cache).dC
    assert dC.tolist() == [[3, 4], [0, 0], [1 + 5 + 7, 2 + 6 + 8]]


@pytest.mark.parametrize("shape", [(), (4,), (4, 3), (2, 4, 3), (0, 3)], ids=str)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_tokens_of_any_shape_and_index_dtype(shape, dtype):
    C, Xb = torch.randn(5, 2), torch.randint(5, shape).to(dtype)
    emb, cache = embedding_forward(C, Xb)
    assert emb.shape == (*shape, 2)
    dC = embedding_backward(torch.ones_like(emb), cache).dC
    uses = Xb.flatten().bincount(minlength=5)
    assert dC.tolist() == uses[:, None].expand(5, 2).tolist()


def test_the_gradient_does_not_need_contiguous_cotangents():
    _, cache = embedding_forward(torch.zeros(3, 2), torch.tensor([[2, 0], [1, 2]]))
    demb = torch.arange(8.0).view(2, 2, 2)
    transposed = embedding_backward(demb.mT, cache).dC
    assert torch.equal(transposed, embedding_backward(demb.mT.contiguous(), cache).dC)


def test_a_token_outside_the_table_is_refused():
    with pytest.raises(IndexError):
        embedding_forward(torch.zeros(3, 2), torch.tensor([3]))
