/*
 * The engine and the network under a simulated clock, with virtual sockets and no loop. Goal:
 * whatever clients send, however it is split, whenever they stop reading or break off, and whatever
 * falls due meanwhile,
 *   - each client's replies arrive whole and in order, and are those that the same commands, in the
 *     order in which they were run and at the same readings of the clock, get of an engine without
 * a network (twin.c);
 *   - no client starves;
 *   - the invariants of heap, keyspace and net hold, and all memory is given back.
 *
 * Method: everything is drawn from a seed: what clients ask (requests.c), and how they behave
 * (clients.c), what the kernel does (sockets.c), how time passes. A turn here is a turn of
 * daemon.c's loop: what is ready continues, replies leave, sockets have their events, steps run,
 * and who waited goes on. After so many turns nobody connects any more, and each run ends in one of
 * three ways: clients end, the server drains, or it closes. A run that failed is replayed exactly
 * by its seed; some seeds of each invocation run twice, and must do the same.
 *
 * usage: sim [--seeds N] [--seed N] [--turns N]
 * A failure prints one line, which begins with the command that replays it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "engine/steps.h"
#include "heap/check.h"
#include "sim.h"

enum {
    TURNS = 600,
    SEEDS = 50,
    CHECK_TURNS = 16, /* between two looks at the whole heap */
    END_TURNS_MAX = 20000,
    WAITING_TURNS = 200,
    HURRY_BYTES = 8 << 10,
    TWICE = 10, /* one seed of so many runs twice */
};

void sim_fail(const struct sim *sim, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (char *p = what; *p; p++)
        if (*p == '\r' || *p == '\n') *p = ' ';
    printf("sim --seed %" PRIu64 " --turns %" PRIu64 ": turn %" PRIu64 ": %s\n", sim->seed,
           sim->turns, sim->turn, what);
    fflush(stdout);
    _Exit(1);
}

/* --- checks --- */

static void check_all(struct sim *sim)
{
    char text[256];
    for (int i = 0; i < 2; i++) {
        struct engine *s = i ? &sim->twin : &sim->engine;
        const char *wrong = heap_check(&s->heap, text);
        if (wrong) sim_fail(sim, "heap_check of the %s: %s", i ? "twin" : "engine", wrong);
        if (!keyspace_check(&s->keyspace)) sim_fail(sim, "keyspace_check");
    }
}

static void check(struct sim *sim)
{
    int wrong = loop_check(&sim->net.loop);
    if (wrong) sim_fail(sim, "loop_check %d", wrong);
    wrong = replies_pool_check(&sim->net.loop.replies);
    if (wrong) sim_fail(sim, "replies_pool_check %d", wrong);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        if (sim->clients[i].there) client_check(sim, &sim->clients[i]);
    if (sim->turn % CHECK_TURNS == 0) check_all(sim);
}

/* --- a turn --- */

/* Most turns take as long as their commands; in others the loop had nothing to do for a while. */
static void pass_time(struct sim *sim)
{
    struct random *r = &sim->random;
    int64_t ns = (int64_t)random_below(r, 100000);
    if (random_one_in(r, 8)) ns = (int64_t)random_below(r, 10000000);
    if (random_one_in(r, 200)) ns = (int64_t)random_below(r, 1500000000);
    clock_advance(&sim->engine.clock, ns);
}

static void act(struct sim *sim, bool begins)
{
    uint32_t first = (uint32_t)random_below(&sim->random, CLIENTS_MAX);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &sim->clients[(first + i) % CLIENTS_MAX];
        bool acts = sim->crowded || !random_one_in(&sim->random, 3);
        if (c->there && acts) client_act(sim, c, begins);
    }
}

/* As daemon.c's after_poll. */
static void after_poll(struct sim *sim)
{
    struct net *net = &sim->net;
    struct engine *s = &sim->engine;
    loop_turn(&net->loop);
    if (sim->steps_left || s->heap.release_pending || net_is_ready(net)) net_send(net);
    sim->steps_left = twin_steps(sim, !net->loop.busy);
    bool ready = net_after_steps(net);
    if (sim->steps_left || ready)
        loop_keep_going(&net->loop);
    else
        loop_may_block(&net->loop);
}

static void turn(struct sim *sim, bool begins)
{
    struct net *net = &sim->net;
    sim->turn++;
    act(sim, begins);
    pass_time(sim);
    if (clock_mono_ns(&sim->engine.clock) >= sim->tick_ns) {
        sim->tick_ns = sim->engine.clock.now_ns + NET_TICK_MS * INT64_C(1000000);
        net_tick(net);
    }
    if (net->loop.going) net_continue(net);
    net_before_poll(net);
    sockets_poll(&sim->sockets);
    if (!sim->closes) after_poll(sim);
    sockets_end_closed(&sim->sockets);
    check(sim);
}

/* --- a run --- */

static uint32_t clients_there(const struct sim *sim)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) count += sim->clients[i].there;
    return count;
}

static void begin(struct sim *sim, uint64_t seed, uint64_t turns)
{
    static const int64_t readings_ns[] = {0, 100, 2000, 20000};
    *sim = (struct sim){.seed = seed, .turns = turns, .random = {seed}};
    sim->reading_ns = readings_ns[random_below(&sim->random, 4)];
    sim->crowded = random_one_in(&sim->random, 6);
    sim->clients_most = 1 + (uint32_t)random_below(&sim->random, CLIENTS_MAX);
    twin_init(sim);
    sim->sockets.random = &sim->random;
    sim->sockets.clock = &sim->engine.clock;
    sim->sockets.deferred = random_below(&sim->random, 2);
    struct stream_place place = sockets_place(&sim->sockets, &sim->engine.mem);
    net_init_apart(&sim->net, &sim->engine, &place);
}

static void end_turns(struct sim *sim, bool begins, bool (*over)(const struct sim *))
{
    for (uint64_t turns = 0; !over(sim); turns++) {
        turn(sim, begins);
        if (turns > END_TURNS_MAX) sim_fail(sim, "it does not end");
    }
}

static bool all_have_ended(const struct sim *sim)
{
    return clients_there(sim) == 0;
}

/* The last part is not to take for ever. */
static void hurry_clients(struct sim *sim)
{
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &sim->clients[i];
        if (c->send_max < HURRY_BYTES) c->send_max = HURRY_BYTES;
        if (c->read_max < HURRY_BYTES) c->read_max = HURRY_BYTES;
        if (c->socket.client_room < HURRY_BYTES) c->socket.client_room = HURRY_BYTES;
        c->lazy = 1;
    }
}

/* Somebody waits for a reply, if that happens at all. */
static void await_waiting(struct sim *sim)
{
    for (int i = 0; i < WAITING_TURNS && !sim->engine.sessions.waiting; i++) turn(sim, true);
}

static void end(struct sim *sim)
{
    uint64_t how = random_below(&sim->random, 3);
    hurry_clients(sim);
    if (how == 0) {
        end_turns(sim, true, all_have_ended);
    } else if (how == 1) {
        await_waiting(sim);
        sim->drains = true;
        net_drain(&sim->net);
        loop_keep_going(&sim->net.loop);
        end_turns(sim, false, all_have_ended);
    }
    sim->closes = true;
    net_close(&sim->net);
    end_turns(sim, false, all_have_ended);
    check_all(sim);
    twin_compare(sim);
    check_all(sim);
    if (sim->net.loop.open || sim->net.loop.place.open) sim_fail(sim, "connections are left");
    net_fini(&sim->net);
    twin_fini(sim);
}

static void run(struct sim *sim, uint64_t seed, uint64_t turns)
{
    begin(sim, seed, turns);
    while (sim->turn < turns) {
        bool more = clients_there(sim) < sim->clients_most;
        if (more && random_one_in(&sim->random, sim->crowded ? 1 : 4)) client_connect(sim);
        turn(sim, true);
    }
    end(sim);
}

/* --- the seeds --- */

struct wanted {
    uint64_t first, seeds, turns;
};

static uint64_t number(const char *text)
{
    char *end_of;
    uint64_t n = text ? strtoull(text, &end_of, 10) : 0;
    if (text && *text && !*end_of) return n;
    fprintf(stderr, "usage: sim [--seeds N] [--seed N] [--turns N]\n");
    exit(2);
}

static struct wanted wanted_of(char **argv)
{
    struct wanted w = {1, SEEDS, TURNS};
    for (char **arg = argv + 1; *arg; arg += 2) {
        if (strcmp(*arg, "--seeds") == 0) {
            w.seeds = number(arg[1]);
        } else if (strcmp(*arg, "--seed") == 0) {
            w.first = number(arg[1]);
            w.seeds = 1;
        } else if (strcmp(*arg, "--turns") == 0) {
            w.turns = number(arg[1]);
        } else {
            number(NULL);
        }
        if (!arg[1]) number(NULL);
    }
    return w;
}

/* Of some seeds: that it does the same again. */
static void run_again(struct sim *sim, uint64_t turns)
{
    uint64_t digest = sim->digest, ended = sim->turn;
    run(sim, sim->seed, turns);
    if (sim->digest != digest || sim->turn != ended)
        sim_fail(sim, "another run than the first of the same seed");
}

static void print_counts(const struct wanted *w, uint64_t turns, const uint64_t counts[SIM_COUNTS])
{
#define NAME(name, text) text,
    static const char *const names[] = {SIM_COUNTED(NAME)};
#undef NAME
    printf("sim: %" PRIu64 " seeds, %" PRIu64 " turns", w->seeds, turns);
    for (int i = 0; i < SIM_COUNTS; i++) printf(", %" PRIu64 " %s", counts[i], names[i]);
    printf("\n");
}

/* A test that meets nothing proves nothing. */
static bool has_met_all(const uint64_t counts[SIM_COUNTS])
{
    for (int i = 0; i < SIM_COUNTS; i++)
        if (counts[i] == 0) return false;
    return counts[SIM_REFUSED] < counts[SIM_COMMANDS] * 3 / 4;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct wanted w = wanted_of(argv);
    uint64_t turns = 0, counts[SIM_COUNTS] = {0};
    struct sim *sim = malloc(sizeof *sim);
    if (!sim) return 2;
    log_level_set(LOG_WARNING);
    for (uint64_t seed = w.first; seed < w.first + w.seeds; seed++) {
        run(sim, seed, w.turns);
        turns += sim->turn;
        for (int i = 0; i < SIM_COUNTS; i++) counts[i] += sim->counts[i];
        if (seed % TWICE == 0 || w.seeds == 1) run_again(sim, w.turns);
    }
    free(sim);
    print_counts(&w, turns, counts);
    return w.seeds < SEEDS || has_met_all(counts) ? 0 : 1;
}
