#include "agent/residency/trail_files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "agent/residency/trail_text.h"
#include "exporters/aws/endpoints.h"

namespace invlog::residency {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPortion = 256 << 10;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string normal(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  std::string text = (error ? fs::path(path) : absolute).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') {
    text.pop_back();
  }
  return text;
}

}  // namespace

bool may_have_events(std::string_view name, std::string_view region) {
  constexpr std::string_view kEndings[] = {".json", ".jsonl", ".ndjson"};
  constexpr std::string_view kTrail = "_CloudTrail_";  // <account>_CloudTrail_<region>_<time>_...
  if (name.find("/CloudTrail-Digest/") != std::string_view::npos ||
      name.find("/CloudTrail-Insight/") != std::string_view::npos) {
    return false;
  }
  std::string_view file = name.substr(std::min(name.rfind('/') + 1, name.size()));
  if (const std::size_t place = file.find(kTrail); place != std::string_view::npos) {
    const std::string_view rest = file.substr(place + kTrail.size());
    const std::string_view files_region = rest.substr(0, rest.find('_'));
    if (aws::is_region_name(files_region) && files_region != region) {
      return false;
    }
  }
  if (file.ends_with(".gz")) {
    file.remove_suffix(3);
  }
  return std::any_of(std::begin(kEndings), std::end(kEndings),
                     [file](std::string_view ending) { return file.ends_with(ending); });
}

TrailFiles::TrailFiles(const std::string& path, std::string region)
    : path_(normal(path)), region_(std::move(region)) {}

// Whatever cannot be looked at is a problem: it may be a part of the trail.
void TrailFiles::list_folder(const std::string& path, TrailSink& sink,
                             std::vector<File>& files) const {
  std::vector<std::string> folders{path};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    std::error_code error;
    for (fs::directory_iterator each(folder, error); !error && each != fs::directory_iterator();
         each.increment(error)) {
      const std::string name = each->path().string();
      std::error_code failed;
      const fs::file_status status = each->status(failed);
      const bool is_folder = fs::is_directory(status);
      if (is_folder && each->is_symlink(failed)) {
        sink.problem({name, std::nullopt, "a link to a folder is not followed; name the folder"});
      } else if (is_folder) {
        folders.push_back(name);
      } else if (!may_have_events(name, region_)) {
        continue;
      } else if (fs::is_regular_file(status)) {
        const std::uintmax_t bytes = each->file_size(failed);
        files.push_back({name, failed ? 0 : bytes});
      } else if (!fs::status_known(status) || !fs::exists(status)) {
        sink.problem({name, std::nullopt, failed ? failed.message() : "a link to nothing"});
      }
    }
    if (error) {
      sink.problem({folder, std::nullopt, error.message()});
    }
  }
}

tl::expected<std::vector<TrailFiles::File>, std::string> TrailFiles::list(TrailSink& sink) const {
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (error || !fs::exists(status)) {
    return tl::unexpected(path_ + ": " +
                          (error ? error.message() : std::string(std::strerror(ENOENT))));
  }
  if (!fs::is_directory(status)) {
    const std::uintmax_t bytes = fs::file_size(path_, error);
    return std::vector<File>{{path_, error ? 0 : bytes}};
  }
  if (fs::directory_iterator(path_, error); error) {
    return tl::unexpected(path_ + ": " + error.message());
  }
  std::vector<File> files;
  list_folder(path_, sink, files);
  if (files.empty()) {
    return tl::unexpected(path_ + ": no file in it is called .json or .json.gz and is of " +
                          region_ + "; name the folder that a trail's files are in");
  }
  std::sort(files.begin(), files.end(),
            [](const File& left, const File& right) { return left.path < right.path; });
  return files;
}

tl::expected<void, std::string> TrailFiles::read(TrailSink& sink) {
  const auto files = list(sink);
  if (!files) {
    return tl::unexpected(files.error());
  }
  files_ = files->size();
  done_ = total_ = 0;
  for (const File& file : *files) {
    total_ += file.bytes;
  }
  std::size_t files_done = 0;
  for (const File& file : *files) {
    show(sink, files_done);
    if (sink.stopped() || !read_file(file, files_done, sink)) {
      break;
    }
    ++files_done;
  }
  return {};
}

void TrailFiles::show(TrailSink& sink, std::size_t files_done) const {
  sink.progress({done_, total_,
                 files_ > 1
                     ? "file " + std::to_string(files_done + 1) + " of " + std::to_string(files_)
                     : ""});
}

// False: stopped.
bool TrailFiles::read_file(const File& file, std::size_t files_done, TrailSink& sink) {
  const std::unique_ptr<std::FILE, CloseFile> stream(std::fopen(file.path.c_str(), "rbe"));
  if (!stream) {
    sink.problem({file.path, std::nullopt, std::strerror(errno)});
    return true;
  }
  std::setvbuf(stream.get(), nullptr, _IONBF, 0);
  TrailText text(file.path, sink);
  std::string portion(kPortion, '\0');
  while (true) {
    const std::size_t length = std::fread(portion.data(), 1, portion.size(), stream.get());
    text.feed({portion.data(), length});
    done_ += length;
    if (length < portion.size()) {
      break;
    }
    show(sink, files_done);
    if (sink.stopped()) {
      return false;
    }
  }
  if (std::ferror(stream.get()) != 0) {
    sink.problem({file.path, std::nullopt, std::string("cannot be read: ") + std::strerror(errno)});
    return true;
  }
  text.finish();
  return true;
}

}  // namespace invlog::residency
