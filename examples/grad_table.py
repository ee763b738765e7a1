"""Algorithms 6.5 and 6.6 of the book, step by step, on a chain of tanh like its figure 6.9.

Each step takes a node V whose consumers all have their gradients, and adds up what they give it.
"""

import graphc as gc

w = gc.input("w", ())
x = gc.tanh(w)
y = gc.tanh(x)
z = gc.tanh(y) + y  # y has two consumers, so two contributions

table = gc.backprop(z, [w])


def value(v):
    return f"{gc.evaluate(v, {w: 0.5}):.4f}"


print("grad_table at w = 0.5:\n")
for step in table.steps:
    v = step.node
    print(f"V = {v.label}")
    for consumer, i, share in step.contributions:
        print(f"    {consumer.op.name}.bprop, by its input {i}: {value(share)}")
    print(f"    grad_table[{v.label}] = {value(step.gradient)}")

print("\nForward and backward are one graph. The gradients use the forward tanh nodes, and no")
print("derivative is computed twice, which is the point of the table:\n")
print(gc.Graph([z, table[w]]))

print("\nA gradient is a graph like any other, so it has a gradient:\n")
print(f"d2z/dw2 at 0.5 = {value(gc.grad(table[w], w))}")
