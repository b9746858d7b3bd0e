"""Forward lines in NumPy, written as in `rows`."""

ROWS = """
y = np.exp(x) + np.log(z) | x:nh z:nh+
y = np.sqrt(x) * np.square(x) | x:nh+
y = np.tanh(x @ W + b) | x:nh W:hk b:k
y = np.maximum(x, 0) | x:nh
y = np.minimum(x, z) | x:nh z:h
y = np.clip(x, -0.5, 0.5) | x:nh
y = np.where(m, x, z) | x:nh z:h m:nh?
y = np.abs(x) * np.sign(x) | x:nh
y = np.sum(x, axis=0) | x:nh
y = np.sum(x, axis=(0, 2)) * z | x:nth z:t
y = x.sum(axis=1, keepdims=True) | x:nh
y = np.mean(x, axis=1) | x:nh
y = x.mean() | x:nh
y = np.var(x, axis=0) | x:nh
y = np.std(x, axis=1, keepdims=True) | x:nh
y = x.var(axis=0, ddof=1) | x:nh
y = np.max(x, axis=1) | x:nh
y = x.max(axis=1, keepdims=True) * x | x:nh
y = np.min(x) | x:nh
y = np.prod(x, axis=1) | x:nh
y = np.linalg.norm(x, axis=1) | x:nh
y = np.linalg.norm(x) | x:nh
y = x.dot(W) | x:nh W:hk
y = np.dot(x, z) | x:n z:n
y = np.dot(x, z) | x:nh z:h
y = np.dot(W.T, x) + b | x:hn W:hk b:k1
y = np.matmul(x, z) | x:bnh z:bhk
y = np.einsum("ij,jk->ik", x, z) | x:nh z:hk
y = np.einsum("ii->i", x) | x:nn
y = np.outer(x, z) | x:n z:h
y = np.inner(x, z) | x:nh z:kh
y = np.tensordot(x, z, axes=1) | x:bnh z:hk
y = np.tensordot(x, z, axes=([1, 2], [0, 1])) | x:bnh z:nhk
y = x.reshape(-1) * z.reshape(n * h) | x:nh z:nh n:=n h:=h
y = np.reshape(x, (h, n)) | x:nh n:=n h:=h
y = x.T | x:nh
y = x.T | x:bnh
y = x.transpose(0, 2, 1) | x:bnh
y = np.transpose(x, (2, 0, 1)) | x:bnh
y = x.transpose() | x:nh
y = x.swapaxes(1, 2) | x:bnh
y = np.swapaxes(x, 0, 1) | x:bnh
y = np.moveaxis(x, 0, -1) | x:bnh
y = np.expand_dims(x, 1) * z | x:nh z:nth
y = np.squeeze(x, axis=1) | x:n1h
y = np.concatenate([x, z], axis=1) | x:nh z:nk
y = np.concatenate((x, z)) | x:nh z:kh
y = np.stack([x, z], axis=1) | x:nh z:nh
y = np.hstack([x, z]) | x:nh z:nk
y = np.vstack([x, z]) | x:nh z:kh
a, b = np.split(x, 2, axis=1); y = a * np.tanh(b) | x:nh
a, b, c = np.split(x, [2, 5], axis=1); y = a.sum() + (b**2).sum() + c.mean() | x:nh
y = np.tile(x, (2, 3)) | x:nh
y = np.repeat(x, 3, axis=1) | x:nh
y = x.repeat(2, axis=0) | x:nh
y = np.flip(x, axis=1) | x:nh
y = np.fliplr(x) | x:nh
y = np.roll(x, 2, axis=1) | x:nh
y = np.pad(x, ((0, 0), (1, 2))) | x:nh
y = np.pad(x, 1) | x:nh
y = np.cumsum(x, axis=1) | x:nh
y = x.cumsum(axis=0) | x:nh
y = np.cumprod(x, axis=1) | x:nh
y = np.diff(x, axis=1) | x:nh
y = np.sort(x, axis=1) | x:nh
y = np.take(x, Y, axis=0) | x:vh Y:n<v
y = x.take(Y) | x:v Y:n<v
y = np.take_along_axis(x, Y[:, None], axis=1) | x:nv Y:n<v
y = x[Y] | x:vh Y:nb<v
y = x[np.arange(n), Y] | x:nv Y:n<v n:=n
y = x[range(n), Y] | x:nv Y:n<v n:=n
y = x[:, Y] | x:nv Y:h<v
y = x[I, Y] | x:nv Y:h<v I:h<n
y = x[m] | x:nh m:nh?
y = x[:, 1:3] + x[:, None, 0] | x:nh
y = np.diag(x) | x:nn
y = np.diag(x) | x:n
y = np.trace(x) * x | x:nn
y = np.tril(x) + np.triu(x, 1) * 2 | x:nn
y = np.linalg.inv(x) | x:nn
y = np.linalg.solve(x, z) | x:nn z:nk
y = np.linalg.det(x) | x:nn
y = np.linalg.cholesky(x @ x.T + np.eye(n)) | x:nn n:=n
y = np.logaddexp(x, z) | x:nh z:h
y = np.power(x, 3) + np.power(x, z) | x:nh+ z:h
y = x**2.5 / z | x:nh+ z:h
y = np.arctan2(x, z) * np.hypot(x, z) | x:nh z:nh
y = np.sin(x) + np.cos(x) * np.arctan(x) | x:nh
y = np.expm1(x) * np.log1p(z) | x:nh z:nh+
y = np.broadcast_to(x, (n, h)) * z | x:h z:nh n:=n h:=h
y = np.kron(x, z) | x:nk z:k2
y = np.cross(x, z) | x:n3 z:n3
y = np.vdot(x, z) * x | x:nh z:nh
y = np.array([x, z]) * 2 | x:nh z:nh
y = np.copy(x) * np.asarray(z) | x:nh z:nh
y = np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True) | x:nh
y = 1 / (1 + np.exp(-x)) | x:nh
loss = -np.log(p[np.arange(n), Y]).mean() | p:nv+ Y:n<v n:=n
loss = np.sum(np.maximum(0, 1 - x)) / n | x:nh n:=n
y = x @ W + x.astype(np.float64) @ W | x:nh W:hk
y = np.add(x, z) * np.multiply(x, z) - np.subtract(x, z) / np.divide(x, z) | x:nh z:nh+
y = np.cbrt(x) + np.reciprocal(x) + np.negative(x) | x:nh+
y = np.sinc(x) + np.deg2rad(x) | x:nh
y = x % 0.7 + np.mod(x, z) | x:nh z:nh+
y = np.atleast_2d(x) @ W | x:h W:hk
y = x.ravel() | x:nh
y = x.flatten() | x:nh
"""
