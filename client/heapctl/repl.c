#include "client/heapctl/repl.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/heapctl/complete.h"
#include "client/heapctl/hist.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

enum { PROMPT_BYTES_MAX = 300, HINT_BYTES_MAX = 256 };
/* Columns between the line and the hint; below HINT_COLUMNS_MIN none is shown. */
enum {
    HINT_GAP = 4,
    HINT_COLUMNS_MIN = 6,
    COLUMNS_DEFAULT = 80,
};
/* What libedit itself takes for the end of a line; the key sends another one (on_enter). */
#define KEY_DONE   "\r"
#define KEY_SEARCH "\022"

static volatile sig_atomic_t interrupted;

struct repl {
    struct run *run;
    EditLine *el;
    struct hist hist;
    struct docs docs;
    bool docs_tried;
    bool done;     /* the line is: no hint any more */
    bool searched; /* keys are bound as a search wants them */
    char prompt[PROMPT_BYTES_MAX];
    char hint[HINT_BYTES_MAX];
};

static struct repl *repl_of(EditLine *el)
{
    void *data = NULL;
    el_get(el, EL_CLIENTDATA, &data);
    return data;
}

static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return COLUMNS_DEFAULT;
    return size.ws_col;
}

static char *prompt(EditLine *el)
{
    struct repl *r = repl_of(el);
    const struct heapd_options *to = &r->run->options->connect;
    if (heapd_connected(r->run->h))
        snprintf(r->prompt, sizeof r->prompt, "%s:%u> ", to->host, (unsigned)to->port);
    else
        snprintf(r->prompt, sizeof r->prompt, "not connected> ");
    return r->prompt;
}

/* The hint, cut to what the line leaves free. It has no colour: libedit redraws single columns, and
 * may then leave out the escape that ends it. */
static char *right_prompt(EditLine *el)
{
    struct repl *r = repl_of(el);
    const LineInfo *line = el_line(el);
    size_t n = (size_t)(line->lastchar - line->buffer);
    size_t taken = strlen(r->prompt) + n + HINT_GAP, width = columns();
    size_t room = width > taken ? width - taken : 0;
    complete_hint(&r->docs, line->buffer, n, r->hint, sizeof r->hint);
    if (room < HINT_COLUMNS_MIN || r->done)
        r->hint[0] = 0;
    else if (strlen(r->hint) > room)
        memcpy(r->hint + room - 3, "...", 4);
    return r->hint;
}

/* libedit redraws the right side only when it is told to: every letter tells it. */
static unsigned char on_letter(EditLine *el, int c)
{
    const char letter[2] = {(char)c, 0};
    return el_insertstr(el, letter) == 0 ? CC_REFRESH : CC_ERROR;
}

static void bind_letters(EditLine *el, const char *function)
{
    for (int c = ' '; c < 0x7f; c++) {
        char key[8]; /* as an escape: ^ and the backslash mean something of their own */
        snprintf(key, sizeof key, "\\%03o", (unsigned)c);
        el_set(el, EL_BIND, key, function, NULL);
    }
}

/* libedit's search takes letters and further ^R only where they are bound to its own functions.
 * They stay so until the line ends, and the hint lags behind them. */
static unsigned char on_search(EditLine *el, int c)
{
    (void)c;
    repl_of(el)->searched = true;
    bind_letters(el, "ed-insert");
    el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_push(el, KEY_SEARCH);
    return CC_NORM;
}

static void bind_hints(EditLine *el)
{
    bind_letters(el, "heapctl-letter");
    el_set(el, EL_BIND, "^R", "heapctl-search", NULL);
}

/* The line is done: its hint goes, and KEY_DONE follows, which ends the line. */
static unsigned char on_enter(EditLine *el, int c)
{
    (void)c;
    repl_of(el)->done = true;
    el_push(el, KEY_DONE);
    return CC_REFRESH;
}

static unsigned char show_syntax(struct repl *r, const char *line, size_t n)
{
    char text[2 * HINT_BYTES_MAX];
    complete_hint(&r->docs, line, n, text, sizeof text);
    if (!*text) return CC_REFRESH_BEEP;
    printf("\n%s\n", text);
    fflush(stdout);
    return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *el, int key)
{
    (void)key;
    struct repl *r = repl_of(el);
    const LineInfo *line = el_line(el);
    size_t n = (size_t)(line->cursor - line->buffer);
    struct complete c;
    if (!complete_init(&c, &r->docs, line->buffer, n)) return CC_ERROR;
    unsigned char result = CC_REFRESH;
    bool longer = strlen(c.common) > c.typed;
    if (c.count == 0) {
        result = show_syntax(r, line->buffer, n);
    } else if (c.count == 1 || longer) {
        el_deletestr(el, (int)c.typed);
        el_insertstr(el, c.common);
        if (c.count == 1) el_insertstr(el, " ");
    } else {
        putc('\n', stdout);
        complete_print(stdout, &c, columns());
        fflush(stdout);
        result = CC_REDISPLAY;
    }
    complete_fini(&c);
    return result;
}

static void load_docs(struct repl *r)
{
    if (r->docs_tried || !heapd_connected(r->run->h)) return;
    r->docs_tried = true;
    struct heapd_reply *reply = heapd_call(r->run->h, "COMMAND", "DOCS");
    if (!reply) return;
    /* An older server does not know it, or wants a password first: no hints then. */
    if (!heapd_is_error(reply)) docs_init(&r->docs, reply);
    heapd_reply_free(reply);
}

static void help_row(const struct doc *doc)
{
    printf("\n  %s %s\n  summary: %s\n  since: %s\n  group: %s\n", doc->name, doc->syntax,
           doc->summary, doc->since, doc->group);
    if (*doc->complexity != 0) printf("  complexity: %s\n", doc->complexity);
}

/* A command, and all its subcommands. */
static bool help_command(const struct docs *docs, size_t argc, const struct proto_view *argv)
{
    size_t used;
    const struct doc *doc = docs_find(docs, argc, argv, &used);
    if (!doc) return false;
    const struct doc *end = docs->rows + docs->count;
    size_t n = strlen(doc->name);
    const char *name = doc->name;
    help_row(doc++);
    for (; doc < end && strncmp(doc->name, name, n) == 0 && doc->name[n] == ' '; doc++)
        help_row(doc);
    return true;
}

static bool help_group(const struct docs *docs, struct proto_view group)
{
    bool any = false;
    for (size_t i = 0; i < docs->count; i++) {
        const struct doc *doc = &docs->rows[i];
        if (strlen(doc->group) != group.n || memcmp(doc->group, group.p, group.n) != 0) continue;
        printf("  %s %s\n      %s\n", doc->name, doc->syntax, doc->summary);
        any = true;
    }
    return any;
}

static void help(const struct repl *r, size_t argc, const struct proto_view *argv)
{
    if (argc == 0) {
        puts("  help <command>    what it does\n"
             "  help @<group>     the commands of a group: @string, @hash, @heap, @gc, ...\n"
             "  <TAB>             completes names; behind one, shows what may follow\n"
             "  exit, quit        leaves");
        return;
    }
    bool known = argv[0].n > 1 && argv[0].p[0] == '@'
                     ? help_group(&r->docs, (struct proto_view){argv[0].p + 1, argv[0].n - 1})
                     : help_command(&r->docs, argc, argv);
    if (!known) puts("  No such command or group; <TAB> on an empty line lists all commands.");
    if (known) putchar('\n');
}

/* False: leave. */
static bool run_words(struct repl *r, const struct words *words)
{
    struct proto_view first = words->argv[0];
    if (words_is(first, "EXIT") || words_is(first, "QUIT")) return false;
    if (words_is(first, "HELP") || words_is(first, "?")) {
        help(r, words->argc - 1, words->argv + 1);
        return true;
    }
    run_command(r->run, words->argc, words->argv);
    /* The docs may have been refused for lack of a password. */
    if (r->docs.count == 0 && (words_is(first, "AUTH") || words_is(first, "HELLO")))
        r->docs_tried = false;
    return true;
}

static bool run_line(struct repl *r, const char *line, size_t n)
{
    struct words words;
    switch (words_split(line, n, &words)) {
    case WORDS_OOM: fputs("heapctl: out of memory\n", stderr); return true;
    case WORDS_UNBALANCED: puts("Invalid argument(s)"); return true;
    case WORDS_OK: break;
    }
    bool on = true;
    if (words.argc > 0) {
        if (!hist_is_secret(words.argc, words.argv)) hist_add(&r->hist, line, n);
        on = run_words(r, &words);
    }
    words_fini(&words);
    return on;
}

/* libedit copies the names and never frees them: a leak that is not ours to report. */
static void add_functions(EditLine *el)
{
#if defined(__SANITIZE_ADDRESS__)
    __lsan_disable();
#endif
    el_set(el, EL_ADDFN, "heapctl-tab", "completes, or shows the syntax", on_tab);
    el_set(el, EL_ADDFN, "heapctl-letter", "a letter, and the hint anew", on_letter);
    el_set(el, EL_ADDFN, "heapctl-search", "looks in the history", on_search);
    el_set(el, EL_ADDFN, "heapctl-enter", "the end of the line", on_enter);
#if defined(__SANITIZE_ADDRESS__)
    __lsan_enable();
#endif
}

static bool edit_init(struct repl *r)
{
    /* The letters alone: numbers stay as the protocol writes them. */
    setlocale(LC_CTYPE, "");
    r->el = el_init("heapctl", stdin, stdout, stderr);
    if (!r->el) return false;
    el_set(r->el, EL_CLIENTDATA, r);
    el_set(r->el, EL_PROMPT, prompt);
    el_set(r->el, EL_RPROMPT, right_prompt);
    el_set(r->el, EL_SIGNAL, 1);
    el_set(r->el, EL_EDITOR, "emacs");
    el_set(r->el, EL_HIST, history, r->hist.lines);
    add_functions(r->el);
    el_source(r->el, NULL);
    el_set(r->el, EL_BIND, "\t", "heapctl-tab", NULL);
    el_set(r->el, EL_BIND, "\n", "heapctl-enter", NULL);
    bind_hints(r->el);
    return true;
}

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* A line, borrowed; NULL at the end of the input. Ctrl-C forgets what is typed and asks anew; at
 * any other time it ends heapctl, which may be waiting for a server. */
static const char *read_line(struct repl *r)
{
    struct sigaction before, action = {.sa_handler = on_interrupt};
    const char *line;
    int n;
    sigaction(SIGINT, &action, &before);
    do {
        interrupted = 0;
        if (r->searched) bind_hints(r->el);
        r->done = r->searched = false;
        n = 0;
        line = el_gets(r->el, &n);
        if (interrupted) fputs("^C\n", stdout);
    } while (interrupted);
    sigaction(SIGINT, &before, NULL);
    return n > 0 ? line : NULL;
}

int repl_run(struct run *run)
{
    struct repl r = {.run = run};
    run->interactive = true;
    if (!hist_init(&r.hist) || !edit_init(&r)) {
        fputs("heapctl: no memory, or no terminal\n", stderr);
        hist_fini(&r.hist);
        return EXIT_USAGE;
    }
    run_connect(run);
    bool on = true;
    while (on) {
        load_docs(&r);
        const char *line = read_line(&r);
        if (line)
            on = run_line(&r, line, strcspn(line, "\r\n"));
        else
            on = putchar('\n') == EOF;
    }
    el_end(r.el);
    hist_fini(&r.hist);
    docs_fini(&r.docs);
    return EXIT_DONE;
}
