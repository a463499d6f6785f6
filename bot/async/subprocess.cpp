#include "async/subprocess.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "async/tasks.hpp"

namespace steward::async {

using boost::asio::awaitable;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto step = std::chrono::milliseconds(50);
constexpr int steps_per_question = 4;
constexpr std::size_t longest_line = 4096;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> found;
  for (std::string& text : texts) found.push_back(text.data());
  found.push_back(nullptr);
  return found;
}

// In the child, between fork and exec: only what is safe after a fork of one thread among several.
[[noreturn]] void become(const char* program, char** arguments, char** environment, int input, int output, int failure, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGINT);
  if (getppid() != parent) _exit(127);  // it died before the line above
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);  // sockets of the bot's must not live on in it
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execve(program, arguments, environment);
  const int why = errno;
  [[maybe_unused]] const auto written = write(failure, &why, sizeof why);
  _exit(127);
}

core::Error cannot_start(const std::string& program, int why) {
  return {why == ENOENT ? core::Code::not_found : core::Code::not_allowed, "The program " + program + " cannot be started", std::strerror(why), {}, {}};
}

// A pipe that holds the whole input already, or /dev/null. -1: it cannot be made, or is too long for a pipe.
int open_input(const std::string& text) {
  if (text.empty()) return open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  const bool whole = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(ends[1]);
  fcntl(ends[0], F_SETFL, 0);  // the program reads as from any pipe
  if (whole) return ends[0];
  close(ends[0]);
  errno = EFBIG;
  return -1;
}

struct Started { pid_t pid = 0; int output = -1; };

core::Result<Started> start(Subprocess& subprocess) {
  std::vector<std::string> arguments{subprocess.program}, environment;
  for (const std::string& argument : subprocess.arguments) arguments.push_back(argument);
  for (const auto& [name, value] : subprocess.environment) environment.push_back(name + "=" + value);
  auto argument_pointers = pointers(arguments), environment_pointers = pointers(environment);
  std::array<int, 2> output{}, failure{};
  const int input = open_input(subprocess.input);
  if (input < 0) return core::fail(cannot_start(subprocess.program, errno));
  if (pipe2(output.data(), O_CLOEXEC) != 0) {
    const int why = errno;
    close(input);
    return core::fail(cannot_start(subprocess.program, why));
  }
  if (pipe2(failure.data(), O_CLOEXEC) != 0) {
    const int why = errno;
    close(input);
    close(output[0]);
    close(output[1]);
    return core::fail(cannot_start(subprocess.program, why));
  }
  const pid_t parent = getpid(), pid = fork();
  if (pid == 0) become(subprocess.program.c_str(), argument_pointers.data(), environment_pointers.data(), input, output[1], failure[1], parent);
  int why = pid < 0 ? errno : 0;
  close(input);
  close(output[1]);
  close(failure[1]);
  // Ends at once: with the exec the other end closes.
  if (pid > 0 && read(failure[0], &why, sizeof why) < 0) why = errno;
  close(failure[0]);
  if (why == 0) return Started{pid, output[0]};
  if (pid > 0) waitpid(pid, nullptr, 0);
  close(output[0]);
  return core::fail(cannot_start(subprocess.program, why));
}

class Lines {
 public:
  explicit Lines(const std::function<void(std::string)>& on_line) : on_line_(on_line) {}
  void take(const char* data, std::size_t size) {
    for (const char* at = data; at != data + size; ++at) {
      if (*at == '\n') end();
      else if (line_.size() < longest_line) line_ += *at;
    }
  }
  void end() {
    if (!line_.empty() && on_line_) on_line_(line_);
    line_.clear();
  }

 private:
  const std::function<void(std::string)>& on_line_;
  std::string line_;
};

awaitable<void> read_lines(boost::asio::posix::stream_descriptor& output, const std::function<void(std::string)>& on_line) {
  Lines lines(on_line);
  std::array<char, 4096> buffer;
  for (boost::system::error_code error;;) {
    auto reading = output.async_read_some(boost::asio::buffer(buffer), boost::asio::redirect_error(boost::asio::use_awaitable, error));
    const std::size_t size = co_await std::move(reading);
    if (error) break;
    lines.take(buffer.data(), size);
  }
  lines.end();
}

}  // namespace

awaitable<core::Result<SubprocessEnd>> run(boost::asio::any_io_executor io, Subprocess subprocess) {
  auto started = start(subprocess);
  if (!started) co_return core::fail(started.error());
  boost::asio::posix::stream_descriptor output(io, started->output);
  TaskGroup readers(io, [](const std::string&, const std::string&) {});  // the group logs it
  TaskGroup::Task reading = [&output, &subprocess] { return read_lines(output, subprocess.on_line); };
  readers.spawn("output of a program", std::move(reading));

  SubprocessEnd end;
  const auto began = Clock::now();
  std::optional<Clock::time_point> interrupted;
  Signal never(io);
  int status = 0;
  for (int asked = 0; waitpid(started->pid, &status, WNOHANG) == 0; ++asked) {
    co_await never.wait_regardless(step);
    if (!interrupted) {
      const bool cancelled = co_await is_cancelled();
      end.timed_out = Clock::now() - began > subprocess.limit;
      end.stopped = cancelled || (asked % steps_per_question == 0 && subprocess.stop && subprocess.stop());
      if (!end.stopped && !end.timed_out) continue;
      interrupted = Clock::now();
      kill(started->pid, SIGINT);
    } else if (Clock::now() - *interrupted > subprocess.grace) {
      kill(started->pid, SIGKILL);
    }
  }
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  // What it wrote last is still in the pipe; a child of its own that holds the pipe open is not waited for.
  const bool read = co_await readers.join(std::chrono::seconds(1));
  if (!read) readers.cancel_all();
  for (bool ended = read; !ended;) ended = co_await readers.join(std::chrono::seconds(1));
  co_return end;
}

}  // namespace steward::async
