/*
 * test_http.c - requests as they are on the wire, and what comes of each reply a server can think of
 *
 * http_step() is called only when http_fd() is readable: that the descriptor suffices is part of every test.
 */
#include "unit.h"

#include "http_server.h"

static void answer(const char *text, enum server_act act, struct result *r)
{
    struct server_step step = {act, text, 0};
    struct http_endpoint endpoint = {.timeout_ms = WAIT_MS};
    struct server s;

    exchange(&step, &endpoint, r, &s);
    assert_int_equal(s.requests, 1);
    server_release(&s);
}

TEST(http__sends_exactly_what_it_was_given)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    static const char *const headers[] = {"X-Endpoint: one", "Authorization: Bearer t", NULL};
    struct http *h = client_new();
    struct http_endpoint endpoint = {.headers = headers};
    struct http_request request = {
        "PUT", "/a/../b?x=y", "Content-Type: text/plain\nX-Request: two\n", "hel\0o", 5, NULL, NULL};
    char url[80], host[80];
    struct server s;
    struct result r;

    server_start(&s, &step, 1);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/prefix", s.port);
    snprintf(host, sizeof(host), "Host: 127.0.0.1:%u", s.port);
    endpoint.url = url;
    client_send(h, &endpoint, &request, &r);
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body_bytes, 2);
    assert_memory_equal(r.body, "ok", 2);
    assert_true(request_has(&s.request[0], "PUT /prefix/a/../b?x=y HTTP/1.1"));
    assert_true(request_has(&s.request[0], host));
    assert_true(request_has(&s.request[0], "User-Agent: ringside/test"));
    assert_true(request_has(&s.request[0], "Accept: */*"));
    assert_true(request_has(&s.request[0], "X-Endpoint: one"));
    assert_true(request_has(&s.request[0], "Authorization: Bearer t"));
    assert_true(request_has(&s.request[0], "Content-Type: text/plain"));
    assert_true(request_has(&s.request[0], "X-Request: two"));
    assert_true(request_has(&s.request[0], "Content-Length: 5"));
    assert_int_equal(request_lines(&s.request[0]), 9);
    assert_memory_equal(s.request[0].data + request_head(&s.request[0]), "hel\0o", 5);
    server_release(&s);
}

TEST(http__appends_the_query_of_the_endpoint)
{
    static const char *const paths[][2] = {{"/a?x=y", "POST /a?x=y&sig=s%2F HTTP/1.1"},
                                           {"/a", "POST /a?sig=s%2F HTTP/1.1"},
                                           {"", "POST /?sig=s%2F HTTP/1.1"}};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        static const struct server_step step = {SERVER_ANSWER, OK, 0};
        struct http_request request = {"POST", paths[i][0], "", "hello", 5, NULL, NULL};
        struct http_endpoint endpoint = {.query = "sig=s%2F"};
        struct http *h = client_new();
        struct server s;
        struct result r;

        server_start(&s, &step, 1);
        endpoint.url = s.url;
        client_send(h, &endpoint, &request, &r);
        http_free(h);
        server_stop(&s);
        assert_int_equal(r.status, 200);
        assert_true(request_has(&s.request[0], paths[i][1]));
        server_release(&s);
    }
}

TEST(http__sends_a_large_body_whole_and_without_asking_first)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    size_t n = 3 << 20, head;
    FREE_PTR char *body = base_alloc(n);
    struct http_request request = {"POST", "/", "", body, n, NULL, NULL};
    struct http *h = client_new();
    struct server s;
    struct result r;

    for (size_t i = 0; i < n; i++)
        body[i] = (char)hash_u64(i);
    server_start(&s, &step, 1);
    client_send(h, &AT(s.url), &request, &r);
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 200);
    head = request_head(&s.request[0]);
    assert_int_equal(s.request[0].len, head + n);
    assert_memory_equal(s.request[0].data + head, body, n);
    assert_true(request_has(&s.request[0], "Content-Length: 3145728"));
    assert_int_equal(request_lines(&s.request[0]), 5); /* POST, Host, User-Agent, Accept, Content-Length */
    server_release(&s);
}

TEST(http__sends_an_empty_body)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    struct http_request request = {"POST", "", "", NULL, 0, NULL, NULL};
    struct http *h = client_new();
    struct server s;
    struct result r;

    server_start(&s, &step, 1);
    client_send(h, &AT(s.url), &request, &r);
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 200);
    assert_true(request_has(&s.request[0], "POST / HTTP/1.1"));
    assert_true(request_has(&s.request[0], "Content-Length: 0"));
    server_release(&s);
}

TEST(http__keeps_the_connection_for_the_next_request)
{
    static const struct server_step steps[] = {
        {SERVER_ANSWER, OK, 0}, {SERVER_ANSWER, OK, 0}, {SERVER_ANSWER, OK, 0}};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct server s;
    struct result r;

    server_start(&s, steps, ARRAY_LEN(steps));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        client_send(h, &AT(s.url), &request, &r);
        assert_int_equal(r.status, 200);
    }
    http_free(h);
    server_stop(&s);
    assert_int_equal(s.requests, 3);
    assert_int_equal(s.connections, 1);
    server_release(&s);
}

TEST(http__sends_again_over_a_new_connection_when_the_kept_one_was_closed)
{
    static const struct server_step steps[] = {{SERVER_ANSWER_AND_CLOSE, OK, 0}, {SERVER_ANSWER, OK, 0}};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct server s;
    struct result r;

    server_start(&s, steps, ARRAY_LEN(steps));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        client_send(h, &AT(s.url), &request, &r);
        assert_int_equal(r.status, 200);
    }
    http_free(h);
    server_stop(&s);
    assert_int_equal(s.requests, 2);
    assert_int_equal(s.connections, 2);
    server_release(&s);
}

TEST(http__reaches_a_unix_socket_past_any_proxy)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    struct http_request request = HELLO;
    char folder[] = "/tmp/ringside-test-http-XXXXXX", path[64];
    struct http_endpoint endpoint = {.url = "http://localhost", .unix_socket = path};
    struct http *h = client_new();
    struct server s;
    struct result r;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    client_send(h, &endpoint, &request, &r);
    assert_string_equal(r.error, "connect: No such file or directory");
    server_start_unix(&s, path, &step, 1);
    client_send(h, &endpoint, &request, &r);
    unsetenv("http_proxy");
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 200);
    assert_true(request_has(&s.request[0], "POST /api?x=y HTTP/1.1"));
    assert_true(request_has(&s.request[0], "Host: localhost"));
    server_release(&s);
    unlink(path);
    rmdir(folder);
}

TEST(http__says_that_nobody_listens)
{
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct server s;
    struct result r;

    server_bind(&s, NULL, 0); /* but does not listen */
    client_send(h, &AT(s.url), &request, &r);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.error, "connect: Connection refused");
    http_free(h);
    close(s.listener);
    close(s.stop);
}

TEST(http__tells_each_way_of_not_answering)
{
    static const struct {
        const char *text;
        enum server_act act;
        const char *error;
    } cases[] = {
        {NULL, SERVER_ANSWER_AND_CLOSE, "the connection was closed without a reply"},
        {"220 mail.example.com ESMTP\r\n", SERVER_ANSWER_AND_CLOSE, "the reply is not HTTP"},
        {"\x16\x03\x01 \xff\xfe garbage", SERVER_ANSWER_AND_CLOSE, "the reply is not HTTP"},
        {"HTTP/1.1 200 OK\r\nContent-Ty", SERVER_ANSWER_AND_CLOSE,
         "the connection was closed within the reply"},
        {"HTTP/1.1 100 Continue\r\n\r\n", SERVER_ANSWER_AND_CLOSE, NULL},
        {"HTTP/1.1 2x0 OK\r\n\r\n", SERVER_ANSWER_AND_CLOSE, NULL},
        {NULL, SERVER_RESET, "Recv failure: Connection reset by peer"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r;

        answer(cases[i].text, cases[i].act, &r);
        assert_int_equal(r.status, 0);
        if (cases[i].error)
            assert_string_equal(r.error, cases[i].error);
    }
}

TEST(http__keeps_the_status_whatever_becomes_of_the_body)
{
    static const struct {
        const char *text;
        enum server_act act;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", SERVER_ANSWER_AND_CLOSE},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
         SERVER_ANSWER_AND_CLOSE},
        {"HTTP/1.1 200 OK\r\n\r\nshort", SERVER_RESET},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort", SERVER_ANSWER},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r;

        answer(cases[i].text, cases[i].act, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.error, "");
    }
}

TEST(http__reads_no_more_of_a_huge_reply_than_is_kept)
{
    static const struct server_step step = {SERVER_ANSWER_AND_CLOSE, "HTTP/1.1 202 Accepted\r\n\r\n",
                                            1 << 20};
    struct http_endpoint endpoint = {.timeout_ms = WAIT_MS};
    struct server s;
    struct result r;

    exchange(&step, &endpoint, &r, &s);
    assert_int_equal(r.status, 202);
    assert_int_equal(r.body_bytes, HTTP_REPLY_MAX);
    for (size_t i = 0; i < HTTP_REPLY_MAX; i++)
        assert_int_equal(r.body[i], 'x');
    server_release(&s);
}

TEST(http__refuses_headers_without_end)
{
    static const char *const begins[] = {"HTTP/1.1 200 OK\r\nX-Long: ", NULL};
    struct server_step step = {SERVER_ANSWER_AND_HANG, begins[0], 1024};
    struct http_endpoint endpoint = {.timeout_ms = WAIT_MS};
    FREE_PTR char *many = base_calloc(1, 2 << 20);
    struct server s;
    struct result r;

    exchange(&step, &endpoint, &r, &s);
    assert_int_equal(r.status, 0);
    server_release(&s);

    strcpy(many, "HTTP/1.1 200 OK\r\n");
    for (char *p = many + strlen(many); p < many + (1 << 20); p += 16)
        memcpy(p, "X-Header: value\n", 16);
    step = (struct server_step){SERVER_ANSWER_AND_HANG, many, 0};
    exchange(&step, &endpoint, &r, &s);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.error, "the headers of the reply are too long");
    server_release(&s);
}

TEST(http__does_not_follow_redirects)
{
    static const struct server_step steps[] = {
        {SERVER_ANSWER, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
         0},
        {SERVER_ANSWER, OK, 0}};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct server s;
    struct result r;

    server_start(&s, steps, ARRAY_LEN(steps));
    client_send(h, &AT(s.url), &request, &r);
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 307);
    assert_int_equal(s.requests, 1);
    server_release(&s);
}

TEST(http__proves_who_sends)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    struct http_endpoint endpoint = {.user = "Aladdin", .password = "open sesame"};
    struct server s;
    struct result r;

    exchange(&step, &endpoint, &r, &s);
    assert_int_equal(r.status, 200);
    assert_true(
        request_has(&s.request[0], "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")); /* RFC 7617 */
    server_release(&s);
}

TEST(http__takes_the_proxy_of_the_environment_unless_told_not_to)
{
    static const struct server_step steps[] = {{SERVER_ANSWER_AND_CLOSE, OK, 0}, {SERVER_ANSWER, OK, 0}};
    struct http_request request = HELLO;
    struct http_endpoint direct = {.no_proxy = true};
    struct http *h = client_new();
    struct server s;
    struct result r;

    server_start(&s, steps, ARRAY_LEN(steps));
    setenv("http_proxy", s.url, 1);
    client_send(h, &AT("http://profiles.invalid:8126"), &request, &r);
    assert_int_equal(r.status, 200);
    direct.url = s.url;
    client_send(h, &direct, &request, &r);
    assert_int_equal(r.status, 200);
    unsetenv("http_proxy");
    http_free(h);
    server_stop(&s);
    assert_true(request_has(&s.request[0], "POST http://profiles.invalid:8126/api?x=y HTTP/1.1"));
    assert_true(request_has(&s.request[1], "POST /api?x=y HTTP/1.1"));
    server_release(&s);
}

TEST(http__does_not_show_the_password_of_an_unusable_proxy)
{
    static const char *const proxies[] = {"gopher://user:hunter2@host", "http://user:hunter2@host:99999",
                                          "http://user:hunter2@[::", "http://user:hunter2@127.0.0.1:1"};
    struct http_request request = HELLO;
    struct http *h = client_new();

    for (size_t i = 0; i < ARRAY_LEN(proxies); i++) {
        struct result r;

        setenv("http_proxy", proxies[i], 1);
        client_send(h, &AT("http://profiles.invalid"), &request, &r);
        assert_int_equal(r.status, 0);
        assert_null(strstr(r.error, "hunter2"));
    }
    unsetenv("http_proxy");
    http_free(h);
}

TEST(http__says_when_it_is_the_proxy_that_is_not_there)
{
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct result r;

    setenv("http_proxy", "http://user:hunter2@127.0.0.1:1", 1);
    client_send(h, &AT("http://profiles.invalid:8126"), &request, &r);
    assert_string_equal(r.error, "connect to the proxy 127.0.0.1:1: Connection refused");
    client_send(h, &AT("http://127.0.0.1:8126"), &request, &r);
    assert_string_equal(r.error, "connect to the proxy 127.0.0.1:1: Connection refused");
    unsetenv("http_proxy");
    client_send(h, &AT("http://127.0.0.1:1"), &request, &r);
    assert_string_equal(r.error, "connect: Connection refused");
    http_free(h);
}

/* ---- what is refused at the start ---- */

TEST(http__refuses_what_would_change_the_request)
{
    static const char *const bad[] = {"X: a\r\nY: b",
                                      "X: a\nY: b",
                                      "no colon",
                                      ": no name",
                                      "Na me: v",
                                      "Content-Length: 1",
                                      "transfer-encoding: chunked",
                                      "X: \x01",
                                      "X: \x7f"};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *const headers[] = {bad[i], NULL};
        struct http_endpoint endpoint = {.url = "http://127.0.0.1:1", .headers = headers};

        assert_null(http_start(h, &endpoint, &request, &e));
        assert_true(e.text[0]);
    }
    request.headers = "Good: yes\nBad: a\rb\n";
    assert_null(http_start(h, &AT("http://127.0.0.1:1"), &request, &e));
    assert_non_null(strstr(e.text, "Bad"));
    http_free(h);
}

TEST(http__refuses_unusable_places_and_files)
{
    static const struct {
        struct http_endpoint endpoint;
        struct http_request request;
        const char *words;
    } cases[] = {
        {{.url = "file:///etc/passwd"}, HELLO, "neither http"},
        {{.url = "http://host"}, {"GET", "/", "", "", 0, NULL, NULL}, "method GET"},
        {{.url = "http://host"}, {"POST", "@other/", "", "", 0, NULL, NULL}, "path"},
        {{.url = "http://host"}, {"POST", "/ HTTP/1.1\r\nX: y", "", "", 0, NULL, NULL}, "path"},
        {{.url = "http://host"}, {"POST", "/a#b", "", "", 0, NULL, NULL}, "path"},
        {{.url = "http://host", .query = "sig=a b"}, HELLO, "query"},
        {{.url = "http://host", .user = "u"}, HELLO, "password"},
        {{.url = "https://host", .ca_file = "/nowhere/ca"}, HELLO, "/nowhere/ca: No such file"},
        {{.url = "https://host", .cert_file = "/nowhere/c"}, HELLO, "/nowhere/c: No such file"},
        {{.url = "https://host", .key_file = "/nowhere/k"}, HELLO, "/nowhere/k: No such file"},
    };
    struct http *h = client_new();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};

        assert_null(http_start(h, &cases[i].endpoint, &cases[i].request, &e));
        assert_non_null(strstr(e.text, cases[i].words));
    }
    http_free(h);
}
