/*
 * fuzz_launch.c - any bytes as a message of the hand-over: it arrives as it was sent, cut to the longest
 * there is
 */
#include "ringside/launch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void receive(int socket, const uint8_t *data, size_t n)
{
    static struct launch_message m;
    enum launch_kind kind = LAUNCH_DONE;
    size_t most = MIN_OF(n, sizeof(m.data) + 1);

    if (launch_peek(socket, &kind, 0, NULL) != 1 || (char)kind != (char)data[0])
        abort();
    if (launch_receive(socket, &m, 0, NULL) != 1 || m.kind != kind || m.bytes != most - 1 || m.fd_count)
        abort();
    if (memcmp(m.data, data + 1, m.bytes) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static int pair[2] = {-1, -1};

    if (pair[0] < 0 && launch_socketpair(pair, NULL) < 0)
        abort();
    if (n && send(pair[0], data, n, MSG_DONTWAIT) == (ssize_t)n)
        receive(pair[1], data, n);
    return 0;
}
