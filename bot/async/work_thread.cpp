#include "async/work_thread.hpp"

#include <pthread.h>

namespace steward::async {

WorkThread::WorkThread(std::string name) : name_(std::move(name)), pool_(1) {
  // The name is what `top -H` and a debugger show; the kernel keeps 15 bytes of it.
  boost::asio::post(pool_, [short_name = name_.substr(0, 15)] { pthread_setname_np(pthread_self(), short_name.c_str()); });
}

WorkThread::~WorkThread() {
  pool_.stop();
  pool_.join();
}

boost::asio::any_io_executor WorkThread::executor() { return pool_.get_executor(); }

}  // namespace steward::async
