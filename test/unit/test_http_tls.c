/*
 * test_http_tls.c - whom the client trusts, and how it proves itself: against openssl s_server on a unix
 * socket
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "http_server.h"

#define CERTIFICATE(name, extra)                                                                             \
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" name           \
    " -keyout " name ".key -out " name ".pem " extra " 2>/dev/null"

/* A folder with certificates (each its own authority) and a server in it. */
struct tls {
    char folder[64], socket[96], ca[96], client_cert[96], client_key[96];
    pid_t server;
    int to_server, from_server; /* what it sends and what it got, decrypted */
    struct buf request;
    bool answered;
};

static void run_command(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void tls_make(struct tls *t)
{
    char command[512];

    if (system("command -v openssl >/dev/null") != 0)
        skip(); /* no openssl (package openssl) */
    memset(t, 0, sizeof(*t));
    strcpy(t->folder, "/tmp/ringside-test-tls-XXXXXX");
    assert_non_null(mkdtemp(t->folder));
    snprintf(command, sizeof(command),
             "cd %s && " CERTIFICATE("localhost", "-addext subjectAltName=DNS:localhost"), t->folder);
    run_command(command);
    snprintf(command, sizeof(command), "cd %s && " CERTIFICATE("client", ""), t->folder);
    run_command(command);
    snprintf(t->socket, sizeof(t->socket), "%s/socket", t->folder);
    snprintf(t->ca, sizeof(t->ca), "%s/localhost.pem", t->folder);
    snprintf(t->client_cert, sizeof(t->client_cert), "%s/client.pem", t->folder);
    snprintf(t->client_key, sizeof(t->client_key), "%s/client.key", t->folder);
    buf_init(&t->request, SERVER_REQUEST_MAX);
}

static void wait_until_it_listens(const struct tls *t)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    uint64_t began = clock_mono_ns();

    snprintf(at.sun_path, sizeof(at.sun_path), "%s", t->socket);
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int connected = connect(fd, (struct sockaddr *)&at, sizeof(at));

        close(fd);
        if (connected == 0)
            return;
        assert_true(clock_mono_ns() - began < WAIT_MS * NSEC_PER_MSEC);
        usleep(1000);
    }
}

static void tls_serve(struct tls *t, char *const *more)
{
    char *argv[16] = {"openssl", "s_server",      "-quiet", "-unix",        "socket",
                      "-cert",   "localhost.pem", "-key",   "localhost.key"};
    int in[2], out[2];

    for (size_t n = 9; more && *more; more++)
        argv[n++] = *more;

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    t->server = fork();
    assert_true(t->server >= 0);
    if (t->server == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails removes nothing */
        if (chdir(t->folder) == 0 && dup2(in[0], 0) >= 0 && dup2(out[1], 1) >= 0 && dup2(null, 2) >= 0)
            execvp(argv[0], argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    t->to_server = in[1];
    t->from_server = out[0];
    wait_until_it_listens(t);
}

static void tls_remove(struct tls *t)
{
    char command[128];

    kill(t->server, SIGKILL);
    waitpid(t->server, NULL, 0);
    close(t->to_server);
    close(t->from_server);
    buf_release(&t->request);
    snprintf(command, sizeof(command), "rm -rf %s", t->folder);
    run_command(command);
}

/* Plays the server's part when a request is complete. */
static void tls_answer(struct tls *t)
{
    char chunk[4096];
    ssize_t n = read(t->from_server, chunk, sizeof(chunk));

    assert_true(n > 0);
    buf_add(&t->request, chunk, (size_t)n);
    if (t->answered || !server_has_all(&t->request))
        return;
    t->answered = true;
    assert_int_equal(write(t->to_server, OK, sizeof(OK) - 1), sizeof(OK) - 1);
}

static void tls_send(struct tls *t, struct http_endpoint *endpoint, struct result *r)
{
    struct http_request request = HELLO;
    struct http *h = client_new();

    endpoint->unix_socket = t->socket;
    client_start(h, endpoint, &request, r);
    while (!r->calls) {
        struct pollfd p[2] = {{.fd = http_fd(h), .events = POLLIN}, {.fd = t->from_server, .events = POLLIN}};

        assert_true(poll(p, 2, WAIT_MS) > 0);
        if (p[1].revents)
            tls_answer(t);
        if (p[0].revents)
            http_step(h);
    }
    http_free(h);
}

static void refused(struct tls *t, struct http_endpoint endpoint, const char *words)
{
    struct result r;

    tls_send(t, &endpoint, &r);
    assert_int_equal(r.status, 0);
    if (!strstr(r.error, words))
        fail_msg("%s", r.error);
    assert_int_equal(t->request.len, 0);
}

static void accepted(struct tls *t, struct http_endpoint endpoint)
{
    struct result r;

    tls_send(t, &endpoint, &r);
    assert_string_equal(r.error, "");
    assert_int_equal(r.status, 200);
    assert_true(request_has(&t->request, "POST /api?x=y HTTP/1.1"));
}

TEST(http_tls__trusts_the_authority_it_was_given_and_no_other)
{
    struct tls t;

    tls_make(&t);
    tls_serve(&t, NULL);
    refused(&t, (struct http_endpoint){.url = "https://localhost"}, "certificate");
    refused(&t, (struct http_endpoint){.url = "https://localhost", .ca_file = t.client_cert}, "certificate");
    refused(&t, (struct http_endpoint){.url = "https://localhost", .ca_file = t.client_key}, "certificate");
    accepted(&t, (struct http_endpoint){.url = "https://localhost", .ca_file = t.ca});
    tls_remove(&t);
}

TEST(http_tls__refuses_a_certificate_of_another_name)
{
    struct tls t;

    tls_make(&t);
    tls_serve(&t, NULL);
    refused(&t, (struct http_endpoint){.url = "https://other.example", .ca_file = t.ca}, "other.example");
    refused(&t, (struct http_endpoint){.url = "https://127.0.0.1", .ca_file = t.ca}, "127.0.0.1");
    tls_remove(&t);
}

TEST(http_tls__shows_the_certificate_of_the_client)
{
    char *const more[] = {"-Verify", "1", "-verify_return_error", "-CAfile", "client.pem", NULL};
    struct http_endpoint endpoint = {.url = "https://localhost"};
    struct tls t;

    tls_make(&t);
    tls_serve(&t, more);
    endpoint.ca_file = t.ca;
    refused(&t, endpoint, "SSL");
    endpoint.cert_file = t.client_cert;
    endpoint.key_file = t.ca; /* no key in it */
    refused(&t, endpoint, "private key");
    endpoint.key_file = t.client_key;
    accepted(&t, endpoint);
    tls_remove(&t);
}

TEST(http_tls__refuses_a_server_that_speaks_without)
{
    static const struct server_step step = {SERVER_ANSWER_AND_CLOSE, OK, 0};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct server s;
    struct result r;
    char url[80];

    server_start(&s, &step, 1);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u", s.port);
    client_start(h, &(struct http_endpoint){.url = url, .timeout_ms = 500}, &request, &r);
    while (!r.calls)
        client_step(h);
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 0);
    assert_int_equal(s.requests, 0);
    server_release(&s);
}

/* ---- HTTP/2 (RFC 9113), by hand ---- */

#define H2_SETTINGS "\0\0\0\4\0\0\0\0\0" /* none */
#define H2_WINDOWS                                                                                           \
    "\0\0\4\x08\0\0\0\0\0\0\0\xff\xff"     /* WINDOW_UPDATE of the connection by 65535 bytes */              \
    "\0\0\4\x08\0\0\0\0\1\0\0\xff\xff"     /* and of stream 1 */
#define H2_STATUS "\0\0\1\1\5\0\0\0\1\x88" /* HEADERS of stream 1, the last of it: ":status: 200" */

#define H2_BODY_BYTES 100000 /* more than the 65535 that may be sent without asking (section 6.9.2) */

#define tls_write(t, frame)                                                                                  \
    assert_int_equal(write((t)->to_server, frame, sizeof(frame) - 1), sizeof(frame) - 1)

/* What the server does when bytes came: the answer when the body has ended. */
static void h2_read(struct tls *t)
{
    char chunk[4096];
    ssize_t n = read(t->from_server, chunk, sizeof(chunk));

    assert_true(n > 0);
    if (!t->request.len)
        tls_write(t, H2_SETTINGS);
    buf_add(&t->request, chunk, (size_t)n);
    if (t->answered || !memmem(t->request.data, t->request.len, "the end", 7))
        return;
    tls_write(t, H2_STATUS);
    t->answered = true;
}

/* The server allows the rest of the body only after a while. */
TEST(http_tls__does_not_turn_in_circles_while_a_body_must_wait)
{
    char *const more[] = {"-alpn", "h2", NULL};
    FREE_PTR char *body = base_calloc(1, H2_BODY_BYTES);
    struct http_request request = {"POST", "/", "", body, H2_BODY_BYTES, NULL, NULL};
    struct http_endpoint endpoint = {.url = "https://localhost", .timeout_ms = WAIT_MS};
    uint64_t until = clock_mono_ns() + 500 * NSEC_PER_MSEC;
    unsigned steps = 0;
    struct http *h;
    struct result r;
    struct tls t;

    memcpy(body + H2_BODY_BYTES - 7, "the end", 7);
    tls_make(&t);
    tls_serve(&t, more);
    endpoint.ca_file = t.ca;
    endpoint.unix_socket = t.socket;
    h = client_new();
    client_start(h, &endpoint, &request, &r);
    while (!r.calls) {
        struct pollfd p[2] = {{.fd = http_fd(h), .events = POLLIN}, {.fd = t.from_server, .events = POLLIN}};

        assert_true(poll(p, 2, WAIT_MS) > 0);
        if (p[1].revents)
            h2_read(&t);
        if (p[0].revents) {
            http_step(h);
            steps++;
        }
        if (t.request.len > 65535 && steps > 100 && clock_mono_ns() > until) {
            assert_false(t.answered);
            assert_in_range(steps, 1, 1000); /* there could be a million */
            tls_write(&t, H2_WINDOWS);
            until = UINT64_MAX;
        }
    }
    http_free(h);
    assert_int_equal(until, UINT64_MAX);
    assert_string_equal(r.error, "");
    assert_int_equal(r.status, 200);
    tls_remove(&t);
}
