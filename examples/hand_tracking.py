"""Hand tracking: a skeleton of 22 bones moves a skin of vertices, and 26 angles and lengths move
the skeleton. The Jacobian of the errors is 26 wide.

One of the four objectives that automatic differentiation is usually measured on, with a made-up
hand.
"""

import numpy as np

import graphc as gc

BONES = 22
# The wrist, the palm, and four bones for each of five fingers.
PARENTS = [-1, 0, *(parent for k in range(5) for parent in (1, 4 * k + 2, 4 * k + 3, 4 * k + 4))]


def pose_places():
    """For each bone and each of its three angles, which parameter it is; 0 stands for none."""
    places = np.zeros((BONES, 3), np.int64)
    following = 7  # after the rotation and the translation of the whole hand, counted from 1
    for finger in range(5):
        for joint in range(3):
            bone = 2 + 4 * finger + joint
            for angle in range(2 if joint == 0 else 1):
                places[bone, angle] = following
                following += 1
    return places


def matrix(rows):
    return np.stack([np.stack(row) for row in rows])


def euler(angles):
    """Rotations about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    return matrix([
        [cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz],
        [cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz],
        [-sy, sx * cy, cx * cy],
    ])  # fmt: skip


def about(axis):
    """The rotation about an axis by its length; right at 0 too."""
    square = np.sum(axis**2)
    is_still = square == 0
    angle = np.sqrt(np.where(is_still, 1.0, square))
    sine = np.where(is_still, 1.0, np.sin(angle) / angle)
    versine = np.where(is_still, 0.5, (1 - np.cos(angle)) / angle**2)
    x, y, z = axis[0], axis[1], axis[2]
    zero = 0.0 * x
    cross = matrix([[zero, -z, y], [z, zero, -x], [-y, x, zero]])
    return np.eye(3) + sine * cross + versine * (cross @ cross)


def skin(theta, lengths, rest, weights):
    """Where the vertices are. Along the kinematic chain each bone turns all that hang from it; each
    vertex is a weighted mean of where its bones would take it (linear blend skinning)."""
    angles = np.take(np.concatenate([np.zeros(1), theta]), pose_places())
    turns, origins = [], []
    for bone, parent in enumerate(PARENTS):
        turn = euler(angles[bone])
        turns.append(turn if parent < 0 else turns[parent] @ turn)
        step = lengths[bone]
        origins.append(step if parent < 0 else origins[parent] + turns[parent] @ step)
    moved = np.einsum("bij,bvj->bvi", np.stack(turns), rest) + np.stack(origins)[:, None, :]
    vertices = np.einsum("bv,bvi->vi", weights, moved)
    return vertices @ about(theta[0:3]).T + theta[3:6]


def errors(theta, lengths, rest, weights, seen):
    """How far each vertex is from where it was seen."""
    return seen - skin(theta, lengths, rest, weights)


def problem(vertices=40, seed=0):
    """A pose of 26 numbers, a hand, and points seen."""
    rng = np.random.default_rng(seed)
    weights = rng.uniform(size=(BONES, vertices)) ** 8
    hand = (
        0.3 * rng.normal(size=(BONES, 3)), 0.5 * rng.normal(size=(BONES, vertices, 3)),
        weights / weights.sum(axis=0),
    )  # fmt: skip
    theta = 0.2 * rng.normal(size=26)
    return theta, *hand, skin(theta + 0.2 * rng.normal(size=26), *hand)


if __name__ == "__main__":
    theta, *hand = problem()
    error, slope = gc.jit(errors), gc.jacobian_fn(errors)
    for step in range(5):
        e, J = error(theta, *hand), slope(theta, *hand)
        print(f"step {step}: squared error {np.sum(e**2):.6f}, Jacobian {J.shape}")
        flat = J.reshape(-1, 26)
        theta = theta - np.linalg.solve(flat.T @ flat + 1e-6 * np.eye(26), flat.T @ e.ravel())
