"""What a chip computes: the kernels of its cores, and one file per neuron model."""
