"""The workloads, in the order in which they are shown."""

from . import attention, distances, elementwise, layers, mixture, regression, rosenbrock

WORKLOADS = (
    *elementwise.WORKLOADS,
    *regression.WORKLOADS,
    *attention.WORKLOADS,
    *mixture.WORKLOADS,
    *layers.WORKLOADS,
    *rosenbrock.WORKLOADS,
    *distances.WORKLOADS,
)
ROWS = {row.name: row for workload in WORKLOADS for row in workload.rows}
# The first compilation of all pays for what every other needs: this one, in every process.
FIRST = elementwise.WORKLOADS[1]
