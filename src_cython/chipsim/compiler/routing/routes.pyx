"""Which routers a packet of each class of sources visits, by which ports it leaves them: multicast trees as rows."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

import numpy as np


cdef struct Fabric:
    const uint8_t* next_port                # [R, R], 255 when there
    const int32_t* out_channel              # [R, P]
    const int32_t* to_router                # [K]
    const uint8_t* out_port                 # [K]
    int64_t n_routers, n_ports
    const int32_t* core_router              # router, and port as a bit, of each core
    const uint64_t* core_bit
    # of the class in hand: routers that it visits, in order, and what it does there
    int32_t* visited
    int32_t* seen                           # class that came here last
    int32_t* ended                          # class that was followed to here last
    int32_t* came                           # channel by which, -1: it is made here
    uint64_t* ports


cdef int64_t grow(Fabric* f, int32_t k, int32_t home, const int32_t* targets, int64_t n, int32_t* meets) noexcept nogil:
    """Routers visited from `home` to the routers of n cores; -1 and the router where paths that parted meet again."""
    cdef int64_t i, count = 1
    cdef int32_t here, there, onward, channel
    f.visited[0], f.seen[home], f.came[home], f.ports[home] = home, k, -1, 0
    for i in range(n):
        there, here = f.core_router[targets[i]], home
        if f.ended[there] != k:
            while here != there:
                channel = f.out_channel[here * f.n_ports + f.next_port[here * f.n_routers + there]]
                f.ports[here] |= <uint64_t>1 << f.out_port[channel]
                onward = f.to_router[channel]
                if f.seen[onward] != k:
                    f.seen[onward], f.came[onward], f.ports[onward] = k, channel, 0
                    f.visited[count] = onward
                    count += 1
                elif f.came[onward] != channel:
                    meets[0] = onward
                    return -1
                here = onward
            f.ended[there] = k
        f.ports[there] |= f.core_bit[targets[i]]
    return count


def tree_rows(plan, const int32_t[::1] home, const int64_t[::1] start, const int32_t[::1] target, bint straight):
    """Rows of all classes by router, each router's in the order of the classes.

    plan      FabricPlan whose endpoints are the cores, in the order that `target` counts them
    home      int32[K] router at which each class is made
    start     int64[K+1], target int32[.]: cores that a class goes to, each once
    straight  a router without an entry passes packets on in the direction they came

    Returns (first int64[R+1] row of each router, class int32[M], ports uint64[M]: bit p for port p, passes bool[M]:
    the default does it), or (class, router) where paths that have parted meet again.
    """
    cdef int64_t n_classes = len(home), n_routers = plan.n_routers, k = 0, i, count, at
    cdef int32_t r, meets = -1
    cdef const uint8_t[:, ::1] next_port = np.ascontiguousarray(plan.next_port, np.uint8)
    cdef const int32_t[:, ::1] out_channel = np.ascontiguousarray(plan.out_channel, np.int32)
    cdef const int32_t[::1] to_router = plan.to_router, core_router = plan.router
    cdef const uint8_t[::1] out_port = plan.out_port
    cdef const uint64_t[::1] core_bit = np.uint64(1) << plan.out_port[plan.eject].astype(np.uint64)
    cdef int32_t[::1] visited = np.empty(n_routers + 1, np.int32), came = np.empty(n_routers, np.int32)
    cdef int32_t[::1] seen = np.full(n_routers, -1, np.int32), ended = np.full(n_routers, -1, np.int32)
    cdef uint64_t[::1] ports = np.zeros(n_routers, np.uint64)
    cdef Fabric f
    first_ = np.zeros(n_routers + 1, np.int64)
    cdef int64_t[::1] first = first_, free
    if n_classes == 0 or len(target) == 0:
        return first_, np.zeros(0, np.int32), np.zeros(0, np.uint64), np.zeros(0, bool)
    f.next_port, f.out_channel, f.to_router = &next_port[0, 0], &out_channel[0, 0], &to_router[0]
    f.out_port, f.core_router, f.core_bit = &out_port[0], &core_router[0], &core_bit[0]
    f.n_routers, f.n_ports = n_routers, out_channel.shape[1]
    f.visited, f.seen, f.ended, f.came, f.ports = &visited[0], &seen[0], &ended[0], &came[0], &ports[0]
    with nogil:
        for k in range(n_classes):
            if start[k] == start[k + 1]:
                continue
            count = grow(&f, <int32_t>k, home[k], &target[start[k]], start[k + 1] - start[k], &meets)
            if count < 0:
                break
            for i in range(count):
                first[visited[i] + 1] += 1
    if meets >= 0:
        return int(k), int(meets)
    np.cumsum(first_, out=first_)
    free = first_.copy()
    count = first[n_routers]
    class_, ports_, passes_ = np.empty(count, np.int32), np.empty(count, np.uint64), np.empty(count, bool)
    cdef int32_t[::1] row_class = class_
    cdef uint64_t[::1] row_ports = ports_
    cdef uint8_t[::1] row_passes = passes_.view(np.uint8)
    seen[:], ended[:] = -1, -1
    with nogil:
        for k in range(n_classes):
            if start[k] == start[k + 1]:
                continue
            count = grow(&f, <int32_t>k, home[k], &target[start[k]], start[k + 1] - start[k], &meets)
            for i in range(count):
                r = visited[i]
                at = free[r]
                free[r] += 1
                row_class[at], row_ports[at] = <int32_t>k, ports[r]
                row_passes[at] = straight and came[r] >= 0 and ports[r] == <uint64_t>1 << out_port[came[r]]
    return first_, class_, ports_, passes_
