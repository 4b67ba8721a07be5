// Events of CloudTrail for tests: the two that AWS shows (facts: bedrock.md §5.5), the second one
// of which AWS cuts off before its ids, and made ones.
#pragma once

#include <string>
#include <string_view>

namespace invlog::tests {

inline constexpr std::string_view kDocumentedEvent =
    R"({"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AROAICFHPEXAMPLE","arn":"arn:aws:iam::111122223333:user/userxyz","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"userxyz"},
 "eventTime":"2023-10-11T21:58:59Z","eventSource":"bedrock.amazonaws.com","eventName":"InvokeModel","awsRegion":"us-west-2","sourceIPAddress":"192.0.2.0",
 "userAgent":"Boto3/1.28.62 md/Botocore#1.31.62 ...","requestParameters":{"modelId":"stability.stable-diffusion-xl-v0"},"responseElements":null,
 "requestID":"a1b2c3d4-5678-90ab-cdef-EXAMPLE22222","eventID":"a1b2c3d4-5678-90ab-cdef-EXAMPLE11111","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,
 "recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.2","cipherSuite":"cipher suite","clientProvidedHostHeader":"bedrock-runtime.us-west-2.amazonaws.com"}})";

// AWS's text up to inferenceRegion; eventSource and ids are ours.
inline constexpr std::string_view kRoutedEvent =
    R"({"eventVersion":"1.11","eventTime":"2025-10-02T01:55:04Z","eventName":"InvokeModel","awsRegion":"ap-southeast-2","requestParameters":{"modelId":"global.anthropic.claude-sonnet-4-5-20250929-v1:0"},"responseElements":null,"additionalEventData":{"inferenceRegion":"ap-southeast-4"},)"
    R"("eventSource":"bedrock.amazonaws.com","requestID":"r","eventID":"e"})";

struct MadeEvent {
  std::string request_id;
  std::string inference_region = {};  // "" none
  std::string time = "2026-10-05T14:01:00Z";
  std::string operation = "Converse";
  std::string account = "123456789012";
  std::string region = "eu-central-1";
  std::string event_id = {};  // "" made of the request id
  std::string source = "bedrock.amazonaws.com";
};

inline std::string trail_event(const MadeEvent& event) {
  return R"({"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::)" +
         event.account + R"(:assumed-role/app/i-1","accountId":")" + event.account +
         R"("},"eventTime":")" + event.time + R"(","eventSource":")" + event.source +
         R"(","eventName":")" + event.operation + R"(","awsRegion":")" + event.region +
         R"(","sourceIPAddress":"198.51.100.7","requestParameters":{"modelId":"eu.amazon.nova-2-lite-v1:0"},)" +
         R"("responseElements":null,)" +
         (event.inference_region.empty() ? std::string()
                                         : R"("additionalEventData":{"inferenceRegion":")" +
                                               event.inference_region + R"("},)") +
         R"("requestID":")" + event.request_id + R"(","eventID":")" +
         (event.event_id.empty() ? "event-of-" + event.request_id : event.event_id) +
         R"(","recipientAccountId":")" + event.account + R"("})";
}

}  // namespace invlog::tests
