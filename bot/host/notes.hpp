// What must outlive a restart of this program: one small file each in its state folder. "last_stop" and "window" hold seconds since
// 1970, "upgrade" the version and the environment to go back to. Used by actions and upgrade. I/O thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "core/error.hpp"

namespace steward::host {

class Notes {
 public:
  explicit Notes(std::string folder) : folder_(std::move(folder)) {}
  std::optional<std::string> get(const std::string& name) const;
  core::Result<void> put(const std::string& name, const std::string& text);  // whole or not at all
  void erase(const std::string& name);
  std::optional<std::chrono::seconds> time(const std::string& name) const;  // since 1970

 private:
  std::string folder_;
};

std::chrono::seconds now();  // since 1970

}  // namespace steward::host
