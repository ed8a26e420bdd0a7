"""The listening socket of a fake: TCP or unix, taken down and up again at the same address, with or without TLS."""

import errno
import os
import socket
import ssl
import threading
import time


class Listener:
    """Hands each connection, in a thread of its own, to `serve(number, sock)`."""

    def __init__(self, serve, host="127.0.0.1", port=0, unix=None):
        self.serve, self.host, self.port, self.unix = serve, host, port, unix
        self.lock = threading.Lock()
        self.listening, self.waiting = None, None
        self.open_sockets = set()
        self.threads = []
        self.connections = 0
        self._bind()
        self.up()

    def _bind(self):
        """A socket that has the address but does not listen: who connects is refused, and nobody else gets the port."""
        if self.unix is not None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            if os.path.exists(self.unix):
                os.unlink(self.unix)
            sock.bind(self.unix)
        else:
            sock = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # So that the next one can be bound before this one is closed.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((self.host, self.port))
            self.port = sock.getsockname()[1]
        self.waiting = sock

    def up(self):
        if self.listening is not None:
            return
        self.listening, self.waiting = self.waiting, None
        self.listening.listen(128)
        thread = threading.Thread(target=self._accept, args=(self.listening,), daemon=True)
        thread.start()
        self.threads.append(thread)

    def down(self):
        """Refuses connections from now on and ends those there are."""
        if self.listening is None:
            return
        self._bind()
        with self.lock:
            listening, self.listening = self.listening, None
        quietly(listening.shutdown, socket.SHUT_RDWR)
        listening.close()
        self.drop_connections()

    def drop_connections(self):
        with self.lock:
            for sock in self.open_sockets:
                quietly(sock.shutdown, socket.SHUT_RDWR)
            self.open_sockets.clear()

    def close(self):
        self.down()
        self.waiting.close()
        if self.unix is not None and os.path.exists(self.unix):
            os.unlink(self.unix)
        for thread in self.threads:
            thread.join(timeout=10)

    def _accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EBADF):
                    return  # it was taken down
                time.sleep(0.05)  # the client went away, or there are too many files
                continue
            with self.lock:
                if listening is not self.listening:  # taken down before this connection was among those that are ended
                    sock.close()
                    return
                self.open_sockets.add(sock)
                number = self.connections
                self.connections += 1
            thread = threading.Thread(target=self._run, args=(number, sock), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _run(self, number, sock):
        if self.unix is None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.serve(number, sock)
        finally:
            self.forget(sock)
            sock.close()

    def replace(self, sock, wrapped):
        """Whether the connection goes on, as another socket object. It does not when it was to end while neither could be shut down."""
        with self.lock:
            if sock not in self.open_sockets:
                return False
            self.open_sockets.remove(sock)
            self.open_sockets.add(wrapped)
            return True

    def forget(self, sock):
        with self.lock:
            self.open_sockets.discard(sock)


def quietly(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass


def tls_context(cert, key, client_ca=None):
    """A server's side of TLS; with client_ca only for clients that have a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
