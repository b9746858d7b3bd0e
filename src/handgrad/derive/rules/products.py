"""Products of vectors, matrices and batches of matrices, and the sums of products that `einsum` writes."""

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint, summed_to


def _of_vectors(site: Site) -> bool:
    return site.rank("x") == site.rank("other") == 1


@adjoint("matmul", lazy=_of_vectors)
def _matmul(site: Site) -> Back:
    match site.rank("x"), site.rank("other"):
        case 1, 1:
            return Back({"x": "other * dy", "other": "x * dy"})
        case 2, 1:
            return Back({"x": "dy[:, None] * other", "other": "x.T @ dy"})
        case 1, 2:
            return Back({"x": "other @ dy", "other": "x[:, None] * dy"})
        case 2, 2:
            return Back({"x": "dy @ other.T", "other": "x.T @ dy"})
        case rank, 2:
            rows = f".flatten(0, {rank - 2})"
            return Back({"x": "dy @ other.T", "other": f"x{rows}.T @ dy{rows}"})
        case rank, 1:
            lead = tuple(range(rank - 1))
            return Back({"x": "dy[..., None] * other", "other": f"(x * dy[..., None]).sum({lead})"})
        case 1, rank:
            lead = tuple(range(rank - 2))
            return Back(
                {
                    "x": f"(other @ dy[..., None])[..., 0].sum({lead if len(lead) > 1 else lead[0]})",
                    "other": "x[:, None] * dy[..., None, :]",
                }
            )
    x, other = "dy @ other.transpose(-2, -1)", "x.transpose(-2, -1) @ dy"
    return Back(
        {
            "x": summed_to(x, site.shape("x")[:-2], tuple(site.result.shape[:-2])),
            "other": summed_to(other, site.shape("other")[:-2], tuple(site.result.shape[:-2])),
        }
    )


@adjoint("dot", lazy=_of_vectors)
def _dot(site: Site) -> Back:
    if not site.rank("x") or not site.rank("other"):
        return Back({"x": "(other * dy).sum()" if site.rank("other") else "other * dy", "other": "x * dy"})
    if site.rank("x") > 1 and site.rank("other") > 2:
        raise UncoveredError("`dot` of more than a matrix is not covered: write it with `@` or `einsum`")
    return _matmul(site)


@adjoint("einsum", lazy=lambda site: not hasattr(site.dy, "shape"))
def _einsum(site: Site) -> Back:
    equation = site["equation"]
    if not isinstance(equation, str):
        raise UncoveredError("`einsum` is covered where its equation is a text")
    given, out = _letters(equation)
    terms = {}
    for i, letters in enumerate(given):
        terms[f"operands_{i}"] = _einsum_back(i, letters, given, "dy" if hasattr(site.dy, "shape") else "", out)
    return Back(terms)


def _letters(equation: str) -> tuple[list[str], str]:
    """The indices of each operand and of the result; where the result's are left out, in their usual order."""
    left, arrow, out = equation.replace(" ", "").replace("...", ".").partition("->")
    if not arrow:
        out = "".join(sorted(c for c in set(left) - set(",") if left.count(c) == 1 or c == "."))
    return left.split(","), out


def _einsum_back(i: int, letters: str, given: list[str], dy: str, out: str) -> str:
    """An `einsum` of the gradient and the other operands; ones and identities where an index stands nowhere else."""
    parts, sources = ([out], [dy]) if dy else ([], [])
    for j, other in enumerate(given):
        if j != i:
            parts.append(other)
            sources.append(f"operands_{j}")
    wanted, free = "", iter(sorted(set("abcdefghijklmnopqrstuvwxyz") - set("".join(given) + out)))
    for d, letter in enumerate(letters):
        if letter not in wanted:
            wanted += letter
            continue
        twin = next(free)
        wanted += twin
        size = f"operands_{i}.shape[{d}]"
        parts.append(letter + twin)
        sources.append(f"torch.eye({size}, dtype=operands_{i}.dtype, device=operands_{i}.device)")
    if set(wanted) - set("".join(parts)):
        parts.append(wanted)
        sources.append(f"torch.ones_like(operands_{i})")
    equation = f"{','.join(parts)}->{wanted}".replace(".", "...")
    product = f'torch.einsum("{equation}", {", ".join(sources)})'
    return product if dy else f"dy * {product}"


@adjoint("tensordot")
def _tensordot(site: Site) -> Back:
    dims, x, other = site["dims"], site.rank("x"), site.rank("other")
    if isinstance(dims, int):
        summed = [*range(x - dims, x)], [*range(dims)]
    else:
        summed = tuple([d % rank for d in (part if isinstance(part, list | tuple) else [part])]
                       for part, rank in zip(dims, (x, other), strict=True))  # fmt: skip
    letters = "abcdefghijklmnopqrstuvwxyz"
    left, right = list(letters[:x]), list(letters[x : x + other])
    for i, j in zip(*summed, strict=True):
        right[j] = left[i]
    out = [c for c in left + right if (c in left) != (c in right)]
    x_text, other_text, out_text = ("".join(part) for part in (left, right, out))
    return Back(
        {
            "x": f'torch.einsum("{out_text},{other_text}->{x_text}", dy, other)',
            "other": f'torch.einsum("{out_text},{x_text}->{other_text}", dy, x)',
        }
    )


@adjoint("kron")
def _kron(site: Site) -> Back:
    if site.rank("x") != 2 or site.rank("other") != 2:
        raise UncoveredError("`kron` is covered of two matrices")
    blocks = {"blocks": "dy.reshape(x.shape[0], other.shape[0], x.shape[1], other.shape[1])"}
    return Back(
        {
            "x": 'torch.einsum("iajb,ab->ij", blocks, other)',
            "other": 'torch.einsum("iajb,ij->ab", blocks, x)',
        },
        blocks,
    )
