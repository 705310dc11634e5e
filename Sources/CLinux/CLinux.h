// What the Glibc module leaves out of Linux.
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 // accept4
#endif

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
