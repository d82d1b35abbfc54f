"""What a share of a chip does in a tick (see share.pxd).

Cost follows activity: neurons are visited in slices, synapses only for the spikes there are. Counting is a handful of
additions per spike, from rows worked out beforehand.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from chipsim.engine.bits cimport fetch, fetch_one
from chipsim.engine.buffers cimport FOLLOWS, Events, add_event, add_seed
from chipsim.engine.delivery cimport bring_in, deliver_fired
from chipsim.engine.meeting cimport meet
from chipsim.engine.neurons cimport Slice
from chipsim.engine.phase cimport phase_clear, phase_spike, phase_tick

cdef enum:
    SEVERAL = 16                # spikes that memory is asked for at a time


cdef void run_ticks(const Chip* c, Share* shares, int64_t n_shares, int64_t first, int64_t last, Chunk* k,
                    Meeting* meeting, int64_t me) noexcept nogil:
    """Advance shares [first, last) by a chunk; `me` of a `meeting` of threads has these. Alone: NULL, all shares.

    One meeting a tick is enough: spikes are written to the other of two buffers while a slower thread delivers.
    """
    cdef int64_t t, i, j
    cdef Share* s
    for t in range(k.n_ticks):
        for i in range(first, last):
            s = &shares[i]
            if k.reset_every and s.tick and s.tick % k.reset_every == 0:
                clear(c, s)
            if emit_tick(c, s, k, t) or k.sampling and c.sample(c.owner, i, t):
                k.failed = t + 1
        if meeting != NULL:
            meet(meeting, me)
        if 0 < k.failed <= t + 1:                         # a faster thread may have failed in the next tick already
            return
        if k.hold:
            continue
        for i in range(first, last):
            s = &shares[i]
            for j in range(n_shares):
                deliver_fired(&s.synapses, &shares[j].fired[s.tick & 1], s.tick % c.ring)
            end_tick(c, s, k, t)


cdef void clear(const Chip* c, Share* s) noexcept nogil:
    """All state to what it starts from, nothing in flight (what was learnt stays); then the input a sample starts with.

    Banks are empty between ticks.
    """
    cdef int64_t i, d, r, n, bytes
    cdef double* sums
    if c.phase.n_learners:
        phase_clear(c.phase)
    for i in range(c.n_states):
        bytes = c.state_bytes[i]
        memcpy(<char*><size_t>c.state_at[i] + s.low * bytes, <const char*><size_t>c.start_at[i] + s.low * bytes,
               <size_t>((s.high - s.low) * bytes))
    if c.matrices:                                        # what comes for the next tick may be there already
        memset(c.reached + (s.tick & 1) * c.n_cores + s.first_core, 0, <size_t>(s.last_core - s.first_core))
    for d in range(c.ring):
        for r in range(c.n_receptors):
            clear_sums(c, s, (d * c.n_receptors + r) * c.n_neurons + s.low, s.high - s.low)
    for d in range(c.first_rows):
        sums = s.synapses.sums64 + ((s.tick + d) % c.ring) * c.n_receptors * c.n_neurons
        for n in range(s.low, s.high):
            sums[n] += c.first_input[d * c.n_neurons + n]


cdef inline void clear_sums(const Chip* c, Share* s, int64_t at, int64_t n) noexcept nogil:
    if c.integer:
        memset(s.synapses.sums32 + at, 0, <size_t>n * sizeof(int32_t))
    else:
        memset(s.synapses.sums64 + at, 0, <size_t>n * sizeof(double))


cdef int step(const Chip* c, Share* s, int64_t g, int64_t low, int64_t high) noexcept nogil:
    """Advance neurons [low, high) of a group by one tick and clear their sums; negative when its NumPy step fails."""
    cdef Slice slice
    cdef int64_t r, at = (s.tick % c.ring) * c.n_receptors * c.n_neurons
    slice.start, slice.stop, slice.n = low, high, c.n_neurons
    slice.sums = <void*>(s.synapses.sums32 + at) if c.integer else <void*>(s.synapses.sums64 + at)
    slice.active, slice.payload = c.active, c.payload
    slice.tick, slice.stream = <uint32_t>s.tick, <uint32_t>c.group_stream[g]
    slice.first = <uint32_t>(c.group_first[g] + low - c.group_start[g])
    if s.model[g].step != NULL:
        s.model[g].step(s.model[g], &slice)
    elif c.plain_step(c.owner, g, &slice):
        return -1
    for r in range(c.n_receptors):
        clear_sums(c, s, at + r * c.n_neurons + low, high - low)
    return 0


cdef int emit_tick(const Chip* c, Share* s, Chunk* k, int64_t t) noexcept nogil:
    """Lines, then groups in order: advance and emit. Negative when memory is exhausted or a NumPy step failed."""
    cdef int64_t i, g, n, stop, high, on, off, next, places, core = s.first_core - 1, elapsed = 0, nothing = 0, ahead
    cdef int64_t row = t * (c.n_cores + 1)
    cdef int64_t* counts = s.counts + t * c.n_actions
    cdef Events* fired = &s.fired[s.tick & 1]
    cdef double payload
    fired.n = 0
    if s.number == 0:
        if c.want_seeds:
            k.seed_start[row] = s.seeds.n
        for i in range(k.start[t], k.start[t + 1]):
            payload = 1.0 if k.value == NULL else k.value[i]
            if payload and emit(c, s, fired, <uint32_t>(c.n_neurons + k.line[i]), payload, &nothing, c.host_ps):
                return -1
    for g in range(s.first_group, s.last_group):
        if c.same_tick:                                   # a later group may be reached in this very tick
            count(c, fired, counts)
            deliver_fired(&s.synapses, fired, s.tick % c.ring)
            fired.n = 0
        while core < c.group_core[g]:                     # a core is done when the next one's groups begin
            next_core(c, s, k, t, &core, &elapsed)
        n = c.group_start[g] if c.group_start[g] > s.low else s.low
        stop = c.group_stop[g] if c.group_stop[g] < s.high else s.high
        if step(c, s, g, n, stop):
            return -1
        places = c.group_compartments[g]
        ahead = n
        while n < stop:                                   # from spike to spike
            if n >= ahead:
                ahead = look_ahead(c, n, stop)
            next = first_spike(c.payload, n, stop)
            high = next + (next < stop)
            on = count_on(c.active, n, high)
            off = (high - n - on) * places
            on *= places
            s.n_active[t] += on
            s.core_active[c.group_core[g]] += on              # where delays are 0, groups are not in order of cores
            if c.want_work:
                k.work[2 * (row + core + 1)] += on
                k.work[2 * (row + core + 1) + 1] += next < stop
            elapsed += on * c.active_ps + off * c.idle_ps
            if next < stop:
                elapsed += c.spike_ps
                if emit(c, s, fired, <uint32_t>next, c.payload[next], &elapsed, c.axon_out_ps):
                    return -1
            n = next + 1
    while core < s.last_core:
        next_core(c, s, k, t, &core, &elapsed)
    count(c, fired, counts)
    return 0


cdef int64_t look_ahead(const Chip* c, int64_t n, int64_t stop) noexcept nogil:
    """Fetch what the next spikes of neurons [n, stop) need, all at once; until which neuron that is.

    Spikes are few and far between, so each would wait for memory twice over.
    """
    cdef int64_t[SEVERAL] found
    cdef int64_t i, k = 0
    while k < SEVERAL:
        n = first_spike(c.payload, n, stop)
        if n == stop:
            break
        fetch_one(&c.out_start[n])
        fetch_one(&c.record[n])
        fetch_one(&c.source_spikes[n])
        found[k] = n
        k, n = k + 1, n + 1
    for i in range(k):
        fetch_one(&c.out_axon[c.out_start[found[i]]])
    return n


cdef inline void next_core(const Chip* c, Share* s, Chunk* k, int64_t t, int64_t* core,
                           int64_t* elapsed) noexcept nogil:
    """End a core's tick, and begin the next one's."""
    cdef int64_t row = t * (c.n_cores + 1)
    if c.want_seeds:
        if core[0] >= s.first_core:
            k.tail_ps[row + core[0] + 1] = elapsed[0]
        if core[0] + 1 < s.last_core:
            k.seed_start[row + core[0] + 2] = s.seeds.n
    core[0] += 1
    elapsed[0] = multiply(c, s, t, core[0]) if c.matrices and core[0] < s.last_core else 0


cdef int64_t multiply(const Chip* c, Share* s, int64_t t, int64_t core) noexcept nogil:
    """Multiply a core's matrix if packets came to it in the last tick; the time that takes."""
    cdef uint8_t* reached = c.reached + (s.tick & 1) * c.n_cores + core
    if not reached[0]:
        return 0
    reached[0] = 0
    s.counts[t * c.n_actions + c.matrix_action] += c.blocks[core]
    c.core_blocks[core] += c.blocks[core]
    return c.blocks[core] * c.block_ps


cdef int emit(const Chip* c, Share* s, Events* fired, uint32_t source, double payload, int64_t* elapsed,
              int64_t out_ps) noexcept nogil:
    """One spike: log it, make its packets. `elapsed`: soma time since the last packet."""
    cdef int64_t k
    if c.record[source] and add_event(&s.events, s.tick, source, payload):
        return -1
    if c.want_seeds:
        for k in range(c.out_start[source], c.out_start[source + 1]):
            if c.multicast and k > c.out_start[source]:
                if add_seed(&s.seeds, FOLLOWS, source, c.out_axon[k]):
                    return -1
                continue
            if add_seed(&s.seeds, elapsed[0] + out_ps, source, c.out_axon[k]):
                return -1
            elapsed[0] = 0
    if c.matrices:                                        # threads may write the same 1 at once
        for k in range(c.out_start[source], c.out_start[source + 1]):
            c.reached[(s.tick + 1 & 1) * c.n_cores + c.axon_core[c.out_axon[k]]] = 1
    if c.phase.n_learners:
        phase_spike(c.phase, source, payload, s.tick)
    return add_event(fired, s.tick, source, payload)


cdef void count(const Chip* c, const Events* fired, int64_t* counts) noexcept nogil:
    """What follows from the spikes that are not delivered yet."""
    cdef int64_t i, k, n = c.n_actions
    cdef const int32_t* row
    for i in range(fired.n):
        if i + 8 < fired.n:
            fetch(c.per_spike + fired.at[i + 8].source * n)
        c.source_spikes[fired.at[i].source] += 1
        row = c.per_spike + fired.at[i].source * n
        for k in range(n):
            counts[k] += row[k]


cdef void end_tick(const Chip* c, Share* s, Chunk* k, int64_t t) noexcept nogil:
    """Bring in the sums that wait for a shift, learn, and go on to the next tick; t: number in the chunk."""
    if c.n_banks > 1:
        bring_in(&s.synapses, c.bank_shift, c.n_banks)
    if c.phase.n_learners:
        phase_tick(c.phase, s.tick, s.counts + t * c.n_actions + c.learn_first, &k.learning_ps[t], &k.learning_core[t])
    s.tick += 1


cdef inline int64_t first_spike(const double* payload, int64_t n, int64_t stop) noexcept nogil:
    """The first of neurons [n, stop) that emits something; `stop` if none does. Most are calm: eight at a time."""
    cdef const uint64_t* p
    while n + 8 <= stop:
        p = <const uint64_t*>(payload + n)
        if (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) << 1:         # without the sign: -0 is nothing
            break
        n += 8
    while n < stop and payload[n] == 0:
        n += 1
    return n


cdef inline int64_t count_on(const uint8_t* active, int64_t n, int64_t stop) noexcept nogil:
    """Active neurons among [n, stop): eight flags to a word, up to 255 words before a byte could run over."""
    cdef int64_t on = 0, words
    cdef uint64_t total, word, even = <uint64_t>0x00FF00FF << 32 | 0x00FF00FF
    while n + 8 <= stop:
        total, words = 0, 0
        while n + 8 <= stop and words < 255:
            memcpy(&word, active + n, 8)
            total += word
            words += 1
            n += 8
        total = (total & even) + (total >> 8 & even)
        on += <int64_t>((total & 0xFFFF) + (total >> 16 & 0xFFFF) + (total >> 32 & 0xFFFF) + (total >> 48))
    while n < stop:
        on += active[n]
        n += 1
    return on
