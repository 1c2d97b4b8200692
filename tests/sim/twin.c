/*
 * The oracle: a second engine, without a network. Whatever happens to the first one from outside (a
 * command, the end of a wait, a session that begins or ends, a turn that reads the clocks, a step)
 * happens to the twin too, in the same order and at the same reading of the clock; what the twin
 * replies is what the client must get.
 *
 * The linker passes those calls of net/ through here (--wrap). The twin gets a command's arguments
 * as plain texts, without what net/ found out about it before (its row, its key's hash, adopted
 * arguments), and copies large values into its reply.
 */
#include <stdio.h>

#include "engine/steps.h"
#include "sim.h"

/* The run that is under way: the wrapped functions are told of engines alone. */
static struct sim *the_sim;

void __real_dispatch(struct engine *engine, struct session *session, const struct request *request,
                     struct reply_to to);
bool __real_dispatch_resume(struct engine *engine, struct session *session, struct reply_to to);
enum status __real_session_open(struct sessions *ss, struct session *s, int64_t now_ms);
void __real_session_close(struct sessions *ss, struct session *s);
void __real_engine_turn(struct engine *engine);
void __wrap_dispatch(struct engine *engine, struct session *session, const struct request *request,
                     struct reply_to to);
bool __wrap_dispatch_resume(struct engine *engine, struct session *session, struct reply_to to);
enum status __wrap_session_open(struct sessions *ss, struct session *s, int64_t now_ms);
void __wrap_session_close(struct sessions *ss, struct session *s);
void __wrap_engine_turn(struct engine *engine);

static struct client *client_of(struct sim *sim, const struct virtual_socket *socket)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (&sim->clients[i].socket == socket) return &sim->clients[i];
    sim_fail(sim, "a session of no client");
}

static struct client *client_of_session(struct sim *sim, struct session *s)
{
    return client_of(sim, sim->sockets.all[conn_of(s)->stream.fd - SOCKETS_FD_FIRST]);
}

/*
 * The twin goes first: what it is given may be changed by the other. It finds the same time, and as
 * much memory in use as the other with its network, since the collector's pace depends on that.
 */
static void begin(struct sim *sim)
{
    sim->twin.clock = sim->engine.clock;
    size_t has = sim->engine.mem.bytes, twin_has = sim->twin.mem.bytes;
    sim->twin_lacks_bytes = has > twin_has ? has - twin_has : 0;
    sim->twin.mem.bytes += sim->twin_lacks_bytes;
}

static void end(struct sim *sim, const char *what)
{
    sim->twin.mem.bytes -= sim->twin_lacks_bytes;
    sim->twin.heap.collect.bytes_mark = sim->engine.heap.collect.bytes_mark;
    if (sim->twin.clock.now_ns != sim->engine.clock.now_ns)
        sim_fail(sim, "%s took %lld ns with a network and %lld ns without", what,
                 (long long)sim->engine.clock.now_ns, (long long)sim->twin.clock.now_ns);
}

static struct reply_to reply_of_twin(struct sim *sim)
{
    proto_buf_clear(&sim->twin_reply, SIZE_MAX);
    return (struct reply_to){&sim->twin_reply, NULL};
}

static void expect(struct client *c, const struct proto_buf *reply)
{
    bytes_put(&c->expected, reply->p, reply->n);
}

static void note_killed(struct sim *sim)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &sim->clients[i];
        if (c->session && c->session->kill) c->killed = true;
    }
}

void __wrap_dispatch(struct engine *engine, struct session *session, const struct request *request,
                     struct reply_to to)
{
    struct sim *sim = the_sim;
    struct client *c = client_of_session(sim, session);
    struct request plain = {.argv = request->argv, .argc = request->argc};
    uint32_t held = to.refs->count;
    begin(sim);
    __real_dispatch(&sim->twin, &c->twin, &plain, reply_of_twin(sim));
    expect(c, &sim->twin_reply);
    __real_dispatch(engine, session, request, to);
    end(sim, "a command");
    c->executed++;
    sim->counts[SIM_COMMANDS]++;
    sim->counts[SIM_WAITED] += session_waits(session);
    sim->counts[SIM_ADOPTED] += request->adopted != NULL;
    sim->counts[SIM_HELD] += to.refs->count > held;
    if (session_waits(session) != session_waits(&c->twin))
        sim_fail(sim, "one waits, and its twin does not");
    c->awaits = session_waits(&c->twin);
    if (engine->killed) note_killed(sim);
    sim->twin.killed = 0;
}

bool __wrap_dispatch_resume(struct engine *engine, struct session *session, struct reply_to to)
{
    struct sim *sim = the_sim;
    struct client *c = client_of_session(sim, session);
    begin(sim);
    bool twin_over = __real_dispatch_resume(&sim->twin, &c->twin, reply_of_twin(sim));
    expect(c, &sim->twin_reply);
    bool over = __real_dispatch_resume(engine, session, to);
    end(sim, "the end of a wait");
    if (over != twin_over) sim_fail(sim, "a wait that is over is not over for its twin");
    c->awaits = !over;
    return over;
}

enum status __wrap_session_open(struct sessions *ss, struct session *s, int64_t now_ms)
{
    struct sim *sim = the_sim;
    struct client *c = client_of_session(sim, s);
    begin(sim);
    enum status twins = __real_session_open(&sim->twin.sessions, &c->twin, now_ms);
    enum status status = __real_session_open(ss, s, now_ms);
    end(sim, "a session that begins");
    if (status || twins || s->id != c->twin.id) sim_fail(sim, "a session is not its twin's");
    c->session = s;
    return status;
}

void __wrap_session_close(struct sessions *ss, struct session *s)
{
    struct sim *sim = the_sim;
    struct client *c = client_of_session(sim, s);
    begin(sim);
    __real_session_close(&sim->twin.sessions, &c->twin);
    __real_session_close(ss, s);
    end(sim, "a session that ends");
    c->session = NULL;
}

void __wrap_engine_turn(struct engine *engine)
{
    begin(the_sim);
    __real_engine_turn(&the_sim->twin);
    __real_engine_turn(engine);
    end(the_sim, "a turn");
}

/* Time stands still meanwhile, so what a step does depends on its slots alone: one that trims the
 * network's memory reads the clock, and has no twin. */
bool twin_steps(struct sim *sim, bool idle)
{
    sim->engine.clock.reading_ns = 0;
    begin(sim);
    steps_run(&sim->twin, idle);
    bool more = steps_run(&sim->engine, idle);
    end(sim, "a step");
    sim->engine.clock.reading_ns = sim->reading_ns;
    return more;
}

/* --- beginning and end --- */

static void init(struct sim *sim, struct engine *engine)
{
    struct config config;
    struct clock clock;
    config_init(&config);
    snprintf(config.hash_seed, sizeof config.hash_seed, "%llx", (unsigned long long)sim->seed);
    config.memory_waste_percent =
        0; /* what is compacted, and when, depends on the network's part */
    config.gc_threshold = 16;
    config.reply_values_max = 2000;
    clock_simulate(&clock, &(struct clock_simulation){.mono_ns = INT64_C(1000000000000),
                                                      .wall_ns = INT64_C(1700000000000000000),
                                                      .reading_ns = sim->reading_ns});
    if (engine_init(engine, &config, &clock)) sim_fail(sim, "no memory");
    engine->heap.collect.slice_slots_max = 1U << sim->seed % 7; /* who waits, waits for long */
    engine->heap.collect.eager = sim->seed % 4 != 0;
}

void twin_init(struct sim *sim)
{
    the_sim = sim;
    init(sim, &sim->engine);
    init(sim, &sim->twin);
    memcpy(sim->twin.run_id, sim->engine.run_id, sizeof sim->twin.run_id);
    proto_buf_init(&sim->twin_reply);
}

void twin_compare(struct sim *sim)
{
    for (int i = 0; i < 2; i++) {
        sim->steps_left = true;
        for (uint32_t steps = 0; sim->steps_left; steps++) {
            sim->steps_left = twin_steps(sim, true);
            if (steps > 100000) sim_fail(sim, "steps do not end");
        }
        clock_advance(&sim->engine.clock, INT64_C(20000000000)); /* as long as any rest */
        __wrap_engine_turn(&sim->engine);
    }
    const struct engine *a = &sim->engine, *b = &sim->twin;
    if (keyspace_names(&a->keyspace) != keyspace_names(&b->keyspace))
        sim_fail(sim, "%llu names with a network and %llu without",
                 (unsigned long long)keyspace_names(&a->keyspace),
                 (unsigned long long)keyspace_names(&b->keyspace));
    for (int type = 0; type < OBJ_TYPES; type++)
        if (a->heap.objects[type] != b->heap.objects[type])
            sim_fail(sim, "%llu objects of type %d with a network and %llu without",
                     (unsigned long long)a->heap.objects[type], type,
                     (unsigned long long)b->heap.objects[type]);
}

void twin_fini(struct sim *sim)
{
    const struct engine *s = &sim->engine;
    sim->counts[SIM_EXPIRED] += s->keyspace.expired;
    sim->counts[SIM_COLLECTED] += s->heap.collect.stats.collected_objects;
    sim->counts[SIM_REFUSED] += s->stats.error_replies;
    proto_buf_fini(&sim->twin_reply);
    engine_fini(&sim->engine);
    engine_fini(&sim->twin);
    if (sim->engine.mem.bytes || sim->twin.mem.bytes)
        sim_fail(sim, "%zu bytes are left, and %zu of the twin's", sim->engine.mem.bytes,
                 sim->twin.mem.bytes);
}
