"""C by hand: what this machine allows. A workload gives the body, the rest follows from its record.

The body of f sees, under their names, the arguments as `const REAL *` (labels as `const long *`),
every size that is a name as `long`, and its results: `value` and `grad_x` for each x of `wrt`, or
`product` for a Hessian times a vector. Each call makes its results anew, as all peers do.
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HEADER = "#include <math.h>\n#include <tgmath.h>\n"
# Vector forms of tanh, exp, log1p come from the C library's vector math, which fast-math allows.
# gcc would make one scalar sincos of a sine and a cosine of the same number, and vectorize neither.
NO_SINCOS = "-fno-builtin-sin -fno-builtin-cos -fno-builtin-sinf -fno-builtin-cosf"
COMMAND = f"gcc -O3 -march=native -ffast-math -fopenmp {NO_SINCOS} -shared -fPIC".split()
LIBRARIES = ["-lmvec", "-lm"]


def source(job):
    workload, real = job.row.workload, {"float64": "double", "float32": "float"}
    parameters = [f"long {size}" for size in job.row.case.sizes]
    for name, value in job.arguments.items():
        kind = "REAL" if value.dtype.kind == "f" else "long"
        parameters.append(f"const {kind} *restrict {name}")
    parameters += [f"REAL *restrict {name}" for name in results(job)]
    head = f"{HEADER}#define REAL {real[job.row.case.dtype]}\nvoid f({', '.join(parameters)}) {{"
    return head + workload.c + "}\n"


def results(job):
    """The names and shapes of what is computed."""
    if job.along is not None:
        return {"product": job.arguments[job.names[job.positions[0]]].shape}
    names = [job.names[i] for i in job.positions]
    return {"value": (), **{f"grad_{name}": job.arguments[name].shape for name in names}}


def build(job):
    if job.row.workload.c is None:
        raise NotImplementedError("was not written for this")
    with tempfile.TemporaryDirectory() as folder:
        text, library = Path(folder, "f.c"), Path(folder, "f.so")
        text.write_text(source(job))
        command = [*COMMAND, str(text), "-o", str(library), *LIBRARIES]
        subprocess.run(command, check=True, capture_output=True, text=True)
        f = ctypes.CDLL(str(library)).f
    sizes = [ctypes.c_long(size) for size in job.row.case.sizes.values()]
    arguments = [np.ascontiguousarray(v) for v in job.arguments.values()]
    given = sizes + [ctypes.c_void_p(a.ctypes.data) for a in arguments]
    shapes, dtype = list(results(job).values()), job.row.case.dtype
    f.restype = None

    def call():
        made = [np.empty(shape, dtype) for shape in shapes]
        f(*given, *(ctypes.c_void_p(a.ctypes.data) for a in made))
        return tuple(made)

    call.keeps = arguments  # the addresses are only good as long as these live
    return call
