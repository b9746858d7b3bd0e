"""Forward lines for the rules: `;` stands between lines, and after `|` what is in them (see `forward.inputs`)."""

ELEMENTWISE = """
y = x.exp() | x:nh
y = torch.exp2(x) | x:nh
y = x.expm1() | x:nh
y = x.log() | x:nh+
y = torch.log2(x) | x:nh+
y = torch.log10(x) | x:nh+
y = torch.log1p(x) | x:nh+
y = x.sqrt() | x:nh+
y = x.rsqrt() | x:nh+
y = x.square() | x:nh
y = x.reciprocal() | x:nh
y = x.abs() | x:nh!
y = x.sin() | x:nh
y = torch.cos(x) | x:nh
y = torch.tan(x) | x:nh
y = torch.asin(x) | x:nh%
y = torch.arccos(x) | x:nh%
y = torch.atan(x) | x:nh
y = torch.sinh(x) | x:nh
y = torch.cosh(x) | x:nh
y = torch.tanh(x) | x:nh
y = torch.asinh(x) | x:nh
y = torch.acosh(x + 1) | x:nh+
y = torch.atanh(x) | x:nh%
y = torch.sinc(x) | x:nh!
y = torch.deg2rad(x) | x:nh
y = torch.rad2deg(x) | x:nh
y = torch.erf(x) | x:nh
y = torch.special.erfc(x) | x:nh
y = torch.special.erfcx(x) | x:nh
y = torch.erfinv(x) | x:nh%
y = torch.special.ndtr(x) | x:nh
y = torch.special.log_ndtr(x) | x:nh
y = torch.special.entr(x) | x:nh+
y = torch.lgamma(x) | x:nh+
y = torch.digamma(x) | x:nh+
y = torch.polygamma(1, x) | x:nh+
y = torch.special.i0(x) | x:nh
y = torch.special.i0e(x) | x:nh
y = torch.sigmoid(x) | x:nh
y = torch.special.expit(x) | x:nh
y = torch.logit(x) | x:nh%
y = torch.logit(x, 0.3) | x:nh%
y = F.logsigmoid(x) | x:nh
y = F.softplus(x) | x:nh
y = F.softplus(x, beta=2) | x:nh
y = F.relu(x) | x:nh!
y = torch.relu(x @ W) | x:nh W:hk
y = F.relu6(4 * x) | x:nh!
y = F.threshold(x, 0.5, 20) | x:nh
y = F.leaky_relu(x) | x:nh!
y = F.leaky_relu(x, 0.2) | x:nh!
y = F.prelu(x, w) | x:nh w:h
y = F.elu(x) | x:nh
y = F.elu(x, alpha=0.7) | x:nh
y = F.celu(x, alpha=0.5) | x:nh
y = F.selu(x) | x:nh
y = F.gelu(x) | x:nh
y = F.gelu(x, approximate='tanh') | x:nh
y = F.gelu(x @ W) | x:nh W:hk
y = F.silu(x) | x:nh
y = F.mish(x) | x:nh
y = F.hardtanh(x) | x:nh!
y = F.hardtanh(x, -0.5, 2.0) | x:nh
y = F.hardsigmoid(3 * x) | x:nh ~
y = F.hardswish(3 * x) | x:nh!
y = F.hardshrink(x) | x:nh
y = F.softshrink(x, 0.3) | x:nh
y = F.softsign(x) | x:nh
y = F.tanhshrink(x) | x:nh
y = torch.nan_to_num(x) | x:nh
y = torch.frac(x) | x:nh
y = x**2 | x:nh
y = x**3 | x:nh
y = x**-1 | x:nh
y = x**0.5 | x:nh+
y = x**-0.5 | x:nh+
y = x**1 | x:nh
y = x**0 + x | x:nh
y = x**1.1 | x:nh+
y = x**p | x:nh+ p:=3
y = 2**x | x:nh
y = a**x | x:nh a:=0.5
y = x**z | x:nh+ z:nh
y = x**z | x:nh+ z:h
y = torch.pow(x, 3) | x:nh
y = x.pow(z) | x:n1+ z:h!
y = x + z | x:nh z:h
y = x - z | x:nh z:n1
y = x * z | x:nh z:1h
y = x / z | x:nh z:n1+
y = -x | x:nh
y = +x | x:nh
y = 3 - x / 2 | x:nh
y = 1 / x | x:nh+
y = torch.add(x, z, alpha=2) | x:nh z:nh
y = torch.sub(x, z, alpha=2) | x:nh z:h
y = x % 0.7 | x:nh
y = torch.remainder(x, z) | x:nh z:nh+
y = torch.fmod(x, z) | x:nh z:nh+
y = torch.maximum(x, z) | x:nh! z:nh!
y = torch.max(x, z) | x:nh! z:h!
y = torch.minimum(x, z) | x:nh! z:n1!
y = torch.fmax(x, z) | x:nh! z:nh!
y = torch.fmin(x, z) | x:nh! z:nh!
y = torch.atan2(x, z) | x:nh z:nh
y = torch.hypot(x, z) | x:nh z:nh
y = torch.logaddexp(x, z) | x:nh z:h
y = torch.logaddexp2(x, z) | x:nh z:h
y = torch.xlogy(x, z) | x:nh! z:nh+
y = torch.special.xlog1py(x, z) | x:nh! z:nh+
y = x.clamp(-1, 1) | x:nh!
y = x.clamp(min=0) | x:nh!
y = torch.clamp(x, max=1) | x:nh!
y = x.clamp(lo, hi) | x:nh lo:=-0.5 hi:=0.5
y = torch.clamp(x, a, b) | x:nh a:=torch.full((h,),-0.5) b:=torch.full((h,),0.5)
y = torch.clamp(x, min=z) | x:nh z:h
y = x.clamp_min(0.1) | x:nh
y = torch.lerp(x, z, w) | x:nh z:nh w:h
y = torch.addcmul(x, a, b, value=0.5) | x:nh a:nh b:h
y = torch.addcdiv(x, a, b) | x:nh a:nh b:h+
y = torch.rsub(x, 1) | x:nh
y = x.float().double() * x | x:nh
y = x.clone() * z | x:nh z:nh
y = x.detach() * x | x:nh
y = x.sign() * x | x:nh
y = (x > 0) * x | x:nh
loss = F.relu(x).sum() | x:nh
loss = F.relu(x).mean() | x:nh
loss = ((x > 0) * x).mean() | x:nh
loss = -x.abs().mean() | x:nh
loss = -(m * x).sum() | x:nh m:nh?
loss = (x.clamp(min=0)**2).sum() | x:nh
y = torch.zeros_like(x) + x | x:nh
"""

PRODUCTS = """
y = a @ b | a:n b:n
y = a @ b | a:nh b:h
y = a @ b | a:n b:nh
y = a @ b | a:nh b:hk
y = a @ b | a:bnh b:hk
y = a @ b | a:cbnh b:hk
y = a @ b | a:bnh b:bhk
y = a @ b | a:cbnh b:cbhk
y = a @ b | a:cbnh b:1bhk
y = a @ b | a:cbnh b:bhk
y = a @ b | a:nh b:bhk
y = a @ b | a:c1nh b:bhk
y = a @ b | a:bnh b:h
y = a @ b | a:n b:bnk
y = a @ b | a:n b:cbnk
y = torch.bmm(a, b.transpose(1, 2)) | a:bnh b:bkh
y = a @ b.T | a:nh b:kh
y = a.T @ b | a:hn b:hk
y = a @ b.transpose(-2, -1) * d**-0.5 | a:bnh b:bth d:=h
y = torch.dot(a, b) | a:n b:n
y = torch.mv(a, b) | a:nh b:h
y = torch.outer(a, b) | a:n b:h
y = F.linear(x, W, b) | x:nh W:kh b:k
y = F.linear(x, W) | x:bnh W:kh
y = torch.addmm(b, x, W) | x:nh W:hk b:k
y = torch.addmm(b, x, W, beta=0.5, alpha=2) | x:nh W:hk b:k
y = torch.baddbmm(b, x, W) | x:bnh W:bhk b:bnk
y = torch.einsum('ij,jk->ik', a, b) | a:nh b:hk
y = torch.einsum('bij,bjk->bik', a, b) | a:bnh b:bhk
y = torch.einsum('...ij,jk->...ik', a, b) | a:cbnh b:hk
y = torch.einsum('ii->i', a) | a:nn
y = torch.einsum('ii', a) | a:nn
y = torch.einsum('ij->j', a) | a:nh
y = torch.einsum('ij,kj', a, b) | a:nh b:kh
y = torch.einsum('i,j,k->ikj', a, b, c) | a:n b:h c:k
y = torch.einsum('bhid,bhjd->bhij', a, b) | a:bcnh b:bcth
y = torch.einsum('ijk,ij->i', a, b) | a:bnh b:bn
y = torch.einsum('iij,j->i', a, b) | a:nnh b:h
y = torch.einsum('...i,...i->...', a, b) | a:bnh b:bnh
y = (a @ b).sum() | a:nh b:hk
y = (a @ b).mean(1) | a:nh b:hk
y = torch.tanh(a @ b) @ c | a:nh b:hk c:kt
"""

REDUCTIONS = """
y = x.sum(0) | x:nh
y = x.sum(1) | x:nh
y = x.sum(-1) | x:nth
y = x.sum(1) | x:nth
y = x.sum((0, 2)) | x:nth
y = x.sum((0, 2), keepdim=True) | x:nth
y = torch.sum(x, dim=(1, 2)) | x:nth
y = x.sum() | x:nth
y = x.exp().sum() * z | x:nth z:nh
y = x.mean(0) | x:nh
y = x.mean((0, 1)) | x:nth
loss = x.mean() | x:nh
y = x.var(0) | x:nh
y = x.var(1, unbiased=False) | x:nh
y = x.var((0, 1), keepdim=True) | x:nth
y = x.var() | x:nh
y = x.std(0) | x:nh
y = x.std(-1, keepdim=True, correction=0) | x:nth
v, m = torch.var_mean(x, 0); y = (x - m) / v | x:nh
y = x.logsumexp(1) | x:nh
y = torch.logsumexp(x, (0, 2), keepdim=True) | x:nth
y = x.norm() | x:nh
y = x.norm(dim=1) | x:nh
y = x.norm(dim=1, keepdim=True) | x:nh
y = torch.linalg.norm(x, dim=-1) | x:nth
y = torch.linalg.vector_norm(x, 3, dim=1) | x:nh
y = x.norm(1, 1) | x:nh
y = torch.norm(x, p=float('inf'), dim=1) | x:nh!
y = x.amax(1) | x:nh!
y = x.amax((0, 2), keepdim=True) | x:nth!
y = torch.amin(x, 0) | x:nh!
y = x.max() | x:nh!
y = x.min() | x:nh!
y = x.max(1).values | x:nh!
y = x.max(1, keepdim=True)[0] | x:nh!
y = x.max(0).values | x:nth!
y, i = x.max(-1); z = 2 * y | x:nth!
y, i = x.min(1); z = y**2 | x:nth!
y = x.median() | x:nh!
y = x.median(1).values | x:nh!
y = x.max(1, keepdim=True).values * z | x:nh z:nh
y = x.max(1).values.sum() | x:nh
y = x.max(0).values.sum() | x:nh
loss = x.std() | x:nh
loss = x.var(1).sum() | x:nh
"""

SHAPES = """
y = x.view(-1) | x:nh
y = x.T.reshape(-1) | x:nh
y = x.flatten(1) | x:bnh
y = x.view(b, n * t, c) | x:bntc b:=b n:=n t:=t c:=c
y = x.unflatten(1, (2, 2)) | x:n4
y = x.squeeze(1) | x:n1h
y = x.squeeze() | x:n1h
y = x.unsqueeze(1) | x:nh
y = x[:, None] | x:nh
y = x[None, :, None] * z | x:nh z:bnth
y = x.T | x:nh
y = x.mT | x:bnh
y = x.transpose(1, 2) | x:bnh
y = x.transpose(0, 1) | x:nh
y = x.permute(2, 0, 1) | x:bnh
y = x.movedim(0, -1) | x:bnh
y = x.expand(5, 8) | x:18
y = x.expand_as(z) * z | x:h z:nh
y = x.repeat(2, 3) | x:nh
y = x.repeat(2, 1, 3) | x:nh
y = torch.tile(x, (2,)) | x:nh
y = x.repeat_interleave(3, dim=1) | x:nh
y = x.repeat_interleave(2) | x:nh
y = torch.repeat_interleave(x, r, dim=0) | x:3h r:=torch.tensor([1,2,3])
y = x.flip(1) | x:nh
y = torch.flip(x, dims=(0, 1)) | x:nh
y = torch.fliplr(x) | x:nh
y = torch.rot90(x, 1, (0, 1)) | x:nh
y = x.roll(1, 0) | x:nh
y = torch.roll(x, shifts=(1, -2), dims=(0, 1)) | x:nh
y = torch.roll(x, 3) | x:nh
y = x.tril() | x:nh
y = x.triu(1) | x:nh
y = x.trace() | x:nn
y = x.diagonal() | x:nh
y = torch.diagonal(x, 1, 1, 2) | x:bnh
y = torch.diag(x) | x:n
y = torch.diag(x, 1) | x:nn
y = torch.diag_embed(x) | x:bn
y = x.unfold(1, 3, 2) | x:nh
y = torch.cat([a, b], 1) | a:nh b:nk
y = torch.cat((a, b, c), dim=-1) | a:nth b:ntk c:ntc
y = torch.cat([a, torch.tanh(a)], 0) | a:nh
y = torch.stack([a, b], 0) | a:nh b:nh
y = torch.stack((a, b), dim=-1) | a:nh b:nh
y = torch.hstack([a, b]) | a:nh b:nk
y = torch.vstack([a, b]) | a:h b:h
a, b = x.chunk(2, 1); y = a * torch.sigmoid(b) | x:nh
a, b, c = x.split(2, 1); y = a * b + c | x:n6
y = x.chunk(2, -1)[1] ** 2 | x:nh
a, b, c = x.unbind(1); y = a * b + c | x:n3h
a, b, c = x; y = a * b + c | x:3h
y = x.narrow(1, 2, 3) | x:nh
y = x.select(1, 2) | x:nh
y = F.pad(x, (1, 2)) | x:nh
y = F.pad(x, (0, 0, 2, 1)) | x:bnh
y = F.pad(x, (p, p)) | x:nh p:=2
y = F.pad(x, (-1, 2)) | x:nh
y = F.pad(x, (1, 2), mode='reflect') | x:bnh
y = F.pad(x, (1, 2), mode='circular') | x:bnh
y = F.pad(x, (1, 1, 2, 0), mode='replicate') | x:bcnh
y = (x[:, None] - c[None]) ** 2 | x:nh c:kh
"""

INDEXING = """
y = x[0] | x:nh
y = x[:, 1:3] | x:nh
y = x[..., ::2] | x:bnh
y = x[1:, None, :-1] | x:nh
y = x[:-1] * x[1:] | x:nh
y = x[Y] | x:vh Y:nb<v
y = x[Y] | x:vh Y:n<v
y = x[Y] | x:v Y:nb<v
y = x[range(n), Y] | x:nv Y:n<v n:=n
y = x[torch.arange(n), Y] | x:nv Y:n<v n:=n
y = x[torch.arange(n)[:, None], Z] | x:nv Z:nb<v n:=n
y = x[torch.arange(n)[:, None], torch.arange(b), Z] | x:nbv Z:nb<v n:=n b:=b
y = x[I, Y] | x:nv Y:h<v I:h<n
y = x[:, Y] | x:nv Y:h<v
y = x[:, Y] | x:nv Y:tb<v
y = x[0, Y] | x:nv Y:h<v
y = x[Y, :, 1] | x:vnh Y:b<v
y = x[:, Y, Z] | x:nvh Y:b<v Z:b<h
y = x[m] | x:nh m:nh?
y = x[m] | x:nh m:n?
y = x[m, 1] | x:nh m:n?
y = x[[0, 2]] | x:nh
y = x[[0, 0, 2]] | x:nh
y = x[:, [1, 0]] | x:nh
y = x[idx] | x:nh idx:=[1,1,0]
y = x[i] | x:nh i:=2
y = x[..., None] * z | x:nh z:nht
y = x.gather(1, Y[:, None]) | x:nv Y:n<v
y = torch.take_along_dim(x, Z, 1) | x:nv Z:nb<v
y = x.index_select(1, Y) | x:nv Y:h<v
y = torch.take(x, Y) | x:nv Y:h<v
y = F.embedding(Y, C) | C:vh Y:nb<v
y = F.embedding(Y, C, padding_idx=0) | C:vh Y:nb<v
y = torch.masked_select(x, m) | x:nh m:nh?
y = x.masked_fill(m, -1e9) | x:nh m:nh?
y = x.masked_fill(m == 0, float('-inf')).softmax(-1) | x:bnh m:nh?
y = x.masked_fill(m, v) | x:nh m:nh? v:
y = x.masked_scatter(m, s) | x:nh m:nh? s:nh
y = torch.where(m, x, z) | x:nh z:h m:nh?
y = torch.where(x > 0, x, 0.1 * x) | x:nh
y = torch.where(m, x, 0.0).sum() | x:nh m:nh?
y = x.scatter(1, Z, s) | x:nv s:n3 Z:=torch.stack([torch.randperm(v)[:3]_for_i_in_range(n)])
y = x.scatter_add(1, Z, s) | x:nv s:nb Z:nb<v
y = x.index_add(0, Y, s) | x:vh s:nh Y:n<v
y = x.index_add(0, Y, s, alpha=2) | x:vh s:nh Y:n<v
y = x.index_copy(0, Y, s) | x:vh s:3h Y:=torch.randperm(v)[:3]
y = x.index_fill(1, Y, 0.5) | x:nv Y:b<v
y = x.index_put((Y,), s) | x:vh s:3h Y:=torch.randperm(v)[:3]
y = x.index_put((Y,), s, accumulate=True) | x:vh s:nh Y:n<v
loss = x[range(n), Y].mean() | x:nv Y:n<v n:=n
loss = -x[Y].sum() | x:vh Y:n<v
"""

SOFTMAXES = """
y = x.masked_fill(m == 0, float('-inf')).softmax(-1) | x:bnh m:=torch.ones(n,h).tril()
y = F.softmax(x @ W, 1) | x:nh W:hk
y = torch.softmax(x, dim=0) | x:nh
y = F.log_softmax(x, dim=-1) | x:bnh
y = F.softmin(x, dim=1) | x:nh
y = F.glu(x) | x:nh
y = F.glu(x @ W, dim=1) | x:nk W:kh
y = F.normalize(x) | x:nh
y = F.normalize(x, dim=-1) @ w | x:nh w:h
y = F.cosine_similarity(x, z, dim=1) | x:nh z:nh
y = F.pairwise_distance(x, z) | x:nh z:nh
y = x.cumsum(1) | x:nh
y = torch.cumsum(x, dim=0) | x:bnh
y = torch.logcumsumexp(x, 1) | x:nh
y = torch.logcumsumexp(x, 1) | x:bnh
y = x.prod(1) | x:nh
y = x.prod(0) | x:nh
y = x.prod(1, keepdim=True) | x:bnh
y = x.prod() | x:nh
y = x.prod() | x:h
y = x.prod(1) | x:nh!
y = x.prod() | x:3!
y = x.cumprod(1) | x:nh
y = x.cumprod(1) | x:nh!
y = torch.cumprod(x, 0) | x:bnh!
y = torch.cummax(x, 1).values | x:nh
v, i = torch.cummin(x, 1); y = v * 2 | x:nh
y = x.diff(dim=1) | x:nh
y = torch.diff(x) | x:bnh
y = x.diff(dim=0) | x:bnh
y = x.sort(1).values | x:nh
v, i = x.sort(dim=1, descending=True); y = v * z | x:nh z:nh
y = x.topk(3, 1).values | x:nh
v, i = x.topk(3, dim=-1); y = F.softmax(v, -1) | x:nh
y = torch.sort(x, 0)[0] | x:nh
y = x.sort().values | x:nh
y = torch.msort(x) | x:nh
y = x.kthvalue(2, 1).values | x:nh
"""

LOSSES = """
loss = F.cross_entropy(x, Y) | x:nv Y:n<v
loss = F.cross_entropy(x @ W, Y) | x:nh W:hv Y:n<v
loss = F.cross_entropy(x.view(-1, v), Y.view(-1)) | x:ntv Y:nt<v v:=v
loss = F.cross_entropy(x, Y, reduction='sum') | x:nv Y:n<v
y = F.cross_entropy(x, Y, reduction='none') | x:nv Y:n<v
loss = F.cross_entropy(x, Y, label_smoothing=0.1) | x:nv Y:n<v
loss = F.cross_entropy(x, Y, weight=w) | x:nv Y:n<v w:=torch.rand(v,dtype=torch.float64)+0.1
loss = F.cross_entropy(x, Y, weight=w, label_smoothing=0.2) | x:nv Y:n<v w:=torch.rand(v,dtype=torch.float64)+0.1
loss = F.cross_entropy(x, Y, ignore_index=2) | x:nv Y:n<v
loss = F.cross_entropy(x, Y, weight=w, ignore_index=2) | x:nv Y:n<v w:=torch.rand(v,dtype=torch.float64)+0.1
y = F.cross_entropy(x, Y, ignore_index=2, reduction='none') | x:nv Y:n<v
loss = F.cross_entropy(x, Y) | x:nvt Y:nt<v
loss = F.cross_entropy(x, Y, weight=w, ignore_index=0) | x:nvt Y:nt<v w:=torch.rand(v,dtype=torch.float64)+0.1
y = F.cross_entropy(x, Y, reduction='none') | x:nvt Y:nt<v
loss = F.cross_entropy(x, q) | x:nv q:nv%
loss = F.cross_entropy(x, q, label_smoothing=0.1, weight=w) | x:nv q:nv% w:=torch.rand(v,dtype=torch.float64)+0.1
loss = F.cross_entropy(x, Y) | x:v Y:<v
loss = F.nll_loss(F.log_softmax(x, 1), Y) | x:nv Y:n<v
loss = F.nll_loss(x, Y) * 2 | x:nv Y:n<v
y = F.nll_loss(x, Y, reduction='none') | x:nv Y:n<v
loss = F.nll_loss(x, Y, weight=w) | x:nv Y:n<v w:=torch.rand(v,dtype=torch.float64)+0.1
loss = F.nll_loss(x, Y, ignore_index=1) | x:nvt Y:nt<v
loss = F.mse_loss(x, z) | x:nh z:nh
y = F.mse_loss(x, z, reduction='none') | x:nh z:nh
loss = F.mse_loss(x @ w, z, reduction='sum') | x:nh w:h z:n
loss = F.l1_loss(x, z) | x:nh z:nh
loss = F.smooth_l1_loss(x, z) | x:nh z:nh
loss = F.smooth_l1_loss(x, z, beta=0.5) * 3 | x:nh z:nh
y = F.huber_loss(x, z, delta=0.7, reduction='none') | x:nh z:nh
loss = F.binary_cross_entropy(p, z) | p:nh% z:nh%
loss = F.binary_cross_entropy(torch.sigmoid(x), z, weight=w) | x:nh z:nh% w:=torch.rand(n,h,dtype=torch.float64)+0.1
loss = F.binary_cross_entropy_with_logits(x, z) | x:nh z:nh%
loss = F.binary_cross_entropy_with_logits(x, z, pos_weight=w) | x:nh z:nh% w:=torch.rand(h,dtype=torch.float64)+0.1
loss = F.kl_div(x, q, reduction='batchmean') | x:nh q:nh%
loss = F.kl_div(F.log_softmax(x, 1), q, reduction='sum', log_target=True) | x:nh q:nh
y = F.gaussian_nll_loss(x, z, v, reduction='none') | x:nh z:nh v:nh+
loss = F.gaussian_nll_loss(x, z, v) | x:nh z:nh v:nh+
loss = F.poisson_nll_loss(x, z) | x:nh z:nh+
loss = F.poisson_nll_loss(x, z, log_input=False) | x:nh+ z:nh+
loss = F.hinge_embedding_loss(x, s) | x:nh s:=torch.randn(n,h).sign()
loss = F.margin_ranking_loss(x, z, s, margin=0.3) | x:n z:n s:=torch.randn(n).sign()
loss = F.cosine_embedding_loss(x, z, s) | x:nh z:nh s:=torch.randn(n).sign()
loss = F.cosine_embedding_loss(x, z, s) | x:nh z:nh s:=torch.randn(n).round()
loss = F.triplet_margin_loss(a, p, q) | a:nh p:nh q:nh
loss = F.soft_margin_loss(x, s) | x:nh s:=torch.randn(n,h).sign()
loss = F.multi_margin_loss(x, Y) | x:nv Y:n<v
loss = F.multilabel_soft_margin_loss(x, q) | x:nv q:nv%
"""

NORMS_AND_IMAGES = """
y = F.layer_norm(x, (h,)) | x:nth h:=h
y = F.layer_norm(x, (h,), g, b) | x:nth g:h b:h h:=h
y = F.layer_norm(x, x.shape[-2:], g, b, eps=1e-3) | x:nth g:th b:th
y = F.layer_norm(x @ W, (k,), g, None) | x:nh W:hk g:k k:=k
y = F.rms_norm(x, (h,), g) | x:nth g:h h:=h
y = F.rms_norm(x, (h,), g, eps=1e-3) | x:nth g:h h:=h
y = F.batch_norm(x, None, None, g, b, training=True) | x:nh g:h b:h
y = F.batch_norm(x, None, None, g, b, True) | x:ncht g:c b:c
y = F.batch_norm(x, m, v, g, b) | x:nch g:c b:c m:=torch.zeros(c).double()+.1 v:=torch.ones(c).double()/2
y = F.batch_norm(x, None, None, training=True) | x:nh
y = F.group_norm(x, 2, g, b) | x:ncht g:c b:c
y = F.group_norm(x, 2) | x:ncht
y = F.instance_norm(x, weight=g, bias=b) | x:ncht g:c b:c
y = F.scaled_dot_product_attention(q, k, v) | q:bcnh k:bcth v:bcte
y = F.scaled_dot_product_attention(q, k, v, is_causal=True) | q:bcnh k:bcnh v:bcne
y = F.scaled_dot_product_attention(q, k, v, attn_mask=m) | q:bcnh k:bcth v:bcte m:nt
y = F.scaled_dot_product_attention(q, k, v, attn_mask=m, scale=0.3) | q:bnh k:bth v:bte m:=torch.ones(n,t).tril().bool()
y = F.scaled_dot_product_attention(x @ Wq, x @ Wk, x @ Wv, is_causal=True) @ Wo | x:bnh Wq:he Wk:he Wv:he Wo:eh
y = F.dropout(x, 0.5, training=False) | x:nh
y = F.dropout(x, 0.0) * x | x:nh
y = F.conv1d(x, w, b) | x:nct w:hck b:h
y = F.conv1d(x, w, b, stride=2, padding=1) | x:nct w:hck b:h
y = F.conv1d(x, w, padding=1, dilation=2) | x:nct w:hc2
y = F.conv1d(x, w, groups=2) | x:n4t w:h2k
y = F.conv2d(x, w, b) | x:ncte w:hckk b:h
y = F.conv2d(x, w, b, stride=(2, 1), padding=(1, 0)) | x:ncte w:hc2k b:h
y = F.conv_transpose1d(x, w, b, stride=2, padding=1) | x:nct w:chk b:h
y = F.conv_transpose2d(x, w, b, stride=2, output_padding=1) | x:ncth w:ckk2 b:k
y = F.max_pool1d(x, 2) | x:nct
y = F.max_pool2d(x, 2) | x:ncte
y = F.max_pool2d(x, 3, stride=1, padding=1) | x:ncte
y = F.max_pool2d(x, (2, 3), stride=(1, 2)) | x:ncte
y = F.adaptive_max_pool2d(x, (2, 3)) | x:ncte
y = F.avg_pool1d(x, 2) | x:nct
y = F.avg_pool1d(x, 3, stride=2, padding=1) | x:nct
y = F.avg_pool2d(x, 2) | x:ncte
y = F.avg_pool2d(x, (3, 2), stride=(1, 2), padding=(1, 0)) | x:ncte
y = F.adaptive_avg_pool2d(x, 1) | x:ncte
y = F.adaptive_avg_pool1d(x, 1) * 2 | x:nct
y = F.interpolate(x, scale_factor=2) | x:nct
y = F.interpolate(x, size=(12, 7)) | x:ncte
y = F.pixel_shuffle(x, 2) | x:n4te
y = F.pixel_unshuffle(x, 2) | x:nc46
y = F.unfold(x, 2, stride=1, padding=1) | x:ncte
y = F.unfold(x, (2, 3)) | x:ncte
y = F.fold(x, (4, 4), (2, 2)) | x:n49
"""

MATRICES = """
y = torch.linalg.det(x) | x:nn
y = torch.det(x) | x:bnn
y = torch.logdet(x @ x.T + torch.eye(n)) | x:nn n:=n
y = torch.linalg.slogdet(x)[1] | x:bnn
s, y = torch.linalg.slogdet(x) | x:nn
y = torch.inverse(x) | x:nn
y = torch.linalg.inv(x) | x:bnn
y = torch.linalg.solve(x, z) | x:nn z:nh
y = torch.linalg.solve(x, z) | x:nn z:n
y = torch.linalg.solve(x, z) | x:bnn z:bnh
y = torch.linalg.solve_triangular(x.tril(), z, upper=False) | x:nn z:nh
y = torch.linalg.cholesky(x @ x.T + torch.eye(n)) | x:nn n:=n
y = torch.linalg.matrix_exp(x) | x:nn
y = torch.linalg.matrix_power(x, 3) | x:nn
y = torch.linalg.multi_dot([a, b, c]) | a:nh b:hk c:kt
y = torch.linalg.eigvalsh(x + x.T) | x:nn
y = torch.linalg.eigh(x + x.T).eigenvalues | x:nn
y = torch.linalg.svdvals(x) | x:nh
y = torch.linalg.cross(x, z) | x:n3 z:n3
y = torch.cross(x, z, dim=1) | x:n3h z:n3h
y = torch.cdist(x, z) | x:nh z:kh
y = torch.cdist(x, z) | x:bnh z:bkh
y = torch.tensordot(x, z, dims=1) | x:bnh z:hk
y = torch.tensordot(x, z, dims=([1, 2], [0, 1])) | x:bnh z:nhk
y = torch.kron(x, z) | x:nh z:k2
y = torch.inner(x, z) | x:nh z:kh
y = torch.linalg.vecdot(x, z) | x:nh z:nh
y = F.bilinear(x, z, w, b) | x:nh z:nk w:ehk b:e
y = torch.dist(x, z) | x:nh z:nh
y = torch.linalg.norm(x, dim=(0, 1)) | x:nh
y = torch.linalg.matrix_norm(x) | x:bnh
y = torch.addr(m, a, b) | m:nh a:n b:h
"""

FURTHER = """
y = F.adaptive_max_pool1d(x, 3) | x:nct
y = torch.addbmm(m, a, b) | m:nk a:bnh b:bhk
y = torch.atleast_1d(x) * x | x:n
y = torch.atleast_3d(x) * 2 | x:nh
y = x.clamp_max(0.1) | x:nh
y = F.conv3d(x, w, b) | x:2c456 w:hc222 b:h
y = F.conv_transpose3d(x, w) | x:2c345 w:ch222
y = F.max_pool3d(x, 2) | x:2c456
y = torch.flipud(x) | x:nh
y = x.mode(1).values | x:nh!
y = x.nanmedian(1).values | x:nh
y = torch.nansum(x, 1) | x:nh
v, m = torch.std_mean(x, 1, keepdim=True); y = (x - m) / v | x:nh
y = x.to(torch.float64) * x | x:nh
y = x.type_as(z) * z | x:nh z:nh
y = x.view_as(z) * z | x:nh z:hn
h = x * 1; h[0] = 2 * z; y = h**2 | x:nh z:h
h = torch.zeros_like(x); h[:, 1:] = x[:, :-1]; y = h * x | x:nh
h = x * 1; h[0] += 2 * z; y = h**2 | x:nh z:h
h = x * 1; h[m] = 0; y = h * z | x:nh z:nh m:nh?
x = x * 2; x += z; x *= x; y = x.sum(0) | x:nh z:h
"""

ROWS = {
    "elementwise": ELEMENTWISE,
    "products": PRODUCTS,
    "reductions": REDUCTIONS,
    "shapes": SHAPES,
    "indexing": INDEXING,
    "softmaxes": SOFTMAXES,
    "losses": LOSSES,
    "norms and images": NORMS_AND_IMAGES,
    "matrices": MATRICES,
    "further": FURTHER,
}
"""The rows of each family, one a line; `~` says that a constant of PyTorch's own is in float32 there."""
