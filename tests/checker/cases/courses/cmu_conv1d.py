"""After the mytorch of CMU's 11-785, written anew."""

import numpy as np

class Conv1d_stride1:
    def __init__(self, in_channels, out_channels, kernel_size):
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.W = np.random.normal(0, 1.0, (out_channels, in_channels, kernel_size))
        self.b = np.random.randn(out_channels)
        self.dLdW = np.zeros(self.W.shape)
        self.dLdb = np.zeros(self.b.shape)

    def forward(self, A):
        self.A = A
        batch_size, in_channels, input_size = A.shape
        output_size = input_size - self.kernel_size + 1
        Z = np.zeros((batch_size, self.out_channels, output_size))
        for i in range(output_size):
            Z[:, :, i] = np.tensordot(A[:, :, i:i + self.kernel_size], self.W, axes=([1, 2], [1, 2]))
        Z += self.b.reshape(1, -1, 1)
        return Z

    def backward(self, dLdZ):
        batch_size, out_channels, output_size = dLdZ.shape
        self.dLdb = np.sum(dLdZ, axis=(0, 2))
        for i in range(self.kernel_size):
            self.dLdW[:, :, i] = np.tensordot(dLdZ, self.A[:, :, i:i + output_size], axes=([0, 2], [0, 2]))
        pad = self.kernel_size - 1
        pdLdZ = np.pad(dLdZ, ((0, 0), (0, 0), (pad, pad)))
        flipW = self.W[:, :, ::-1]
        dLdA = np.zeros(self.A.shape)
        for i in range(self.A.shape[2]):
            dLdA[:, :, i] = np.tensordot(pdLdZ[:, :, i:i + self.kernel_size], flipW, axes=([1, 2], [0, 2]))
        return dLdA

np.random.seed(0)
conv = Conv1d_stride1(2, 3, 3)
x = np.random.randn(2, 2, 7)
z = conv.forward(x)
dLdZ = np.random.randn(*z.shape)
dLdA = conv.backward(dLdZ)
