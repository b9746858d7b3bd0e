"""Attention in one call.

Source: Vaswani et al. 2017; what comes back to the scores from Dao et al. 2022.
"""

from handgrad.derive.rules.adjoint import Back, Site, UncoveredError, adjoint, summed_to


@adjoint("scaled_dot_product_attention")
def _attention(site: Site) -> Back:
    if site["dropout_p"]:
        raise UncoveredError("the mask of the dropout in attention is not kept: write attention out")
    if not site.shape("query")[:-2] == site.shape("key")[:-2] == site.shape("value")[:-2]:
        raise UncoveredError("attention is covered where query, key and value have the same batches")
    scale = f"query.shape[{site.rank('query') - 1}]**-0.5" if site["scale"] is None else "scale"
    scores = f"query @ key.transpose(-2, -1) * {scale}"
    mask = site["attn_mask"]
    if site["is_causal"]:
        rows, columns = f"query.shape[{site.rank('query') - 2}]", f"key.shape[{site.rank('key') - 2}]"
        future = f"torch.ones({rows}, {columns}, dtype=torch.bool, device=query.device).triu(1)"
        scores = f"({scores}).masked_fill({future}, float('-inf'))"
    elif mask is not None:
        scores = (
            f"{scores} + attn_mask"
            if mask.is_floating_point()
            else f"({scores}).masked_fill(~attn_mask, float('-inf'))"
        )
    where = {
        "P": f"torch.softmax({scores}, -1)",
        "dS": "P * (dy @ value.transpose(-2, -1) - (dy * y).sum(-1, keepdim=True))",
    }
    terms = {
        "query": f"dS @ key * {scale}",
        "key": f"dS.transpose(-2, -1) @ query * {scale}",
        "value": "P.transpose(-2, -1) @ dy",
    }
    if mask is not None and mask.is_floating_point():
        whole = (*site.result.shape[:-1], site.shape("key")[-2])
        terms["attn_mask"] = summed_to("dS", site.shape("attn_mask"), whole)
    return Back(terms, where)
