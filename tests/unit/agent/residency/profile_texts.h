// Profiles as the control plane answers with them.
#pragma once

#include <string>
#include <vector>

namespace invlog::tests {

// One of a list, or the answer of GetInferenceProfile. `regions`: of its model ARNs; "" is global.
inline std::string profile_json(const std::string& id, const std::string& model,
                                const std::vector<std::string>& regions, bool application = false) {
  std::string models;
  for (const std::string& region : regions) {
    models += (models.empty() ? "" : ",") + std::string(R"({"modelArn":"arn:aws:bedrock:)") +
              region + "::foundation-model/" + model + R"("})";
  }
  return R"({"inferenceProfileName":"named )" + id +
         R"(","inferenceProfileArn":"arn:aws:bedrock:eu-central-1:123456789012:)" +
         (application ? "application-" : "") + "inference-profile/" + id +
         R"(","inferenceProfileId":")" + id + R"(","status":"ACTIVE","type":")" +
         (application ? "APPLICATION" : "SYSTEM_DEFINED") + R"(","models":[)" + models + "]}";
}

inline std::string page_json(const std::vector<std::string>& profiles,
                             const std::string& next_token = "") {
  std::string list;
  for (const std::string& profile : profiles) {
    list += (list.empty() ? "" : ",") + profile;
  }
  return R"({"inferenceProfileSummaries":[)" + list + "]" +
         (next_token.empty() ? "" : R"(,"nextToken":")" + next_token + "\"") + "}";
}

}  // namespace invlog::tests
