// Calls Bedrock once with the AWS SDK for Go as its environment says, and prints as JSON the answer and the Authorization
// header that the SDK made. Started by ../../sdk_test_proxy.py. Usage: proxy_case TEXT
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s TEXT", os.Args[0])
	}
	authorization := ""
	look := middleware.FinalizeMiddlewareFunc("look", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error) {
		if request, ok := in.Request.(*smithyhttp.Request); ok {
			authorization = request.Header.Get("Authorization")
		}
		return next.HandleFinalize(ctx, in)
	})
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	client := bedrockruntime.NewFromConfig(settings, func(options *bedrockruntime.Options) {
		options.APIOptions = append(options.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(look, "Signing", middleware.After)
		})
	})
	body, err := json.Marshal(map[string]any{
		"anthropic_version": "bedrock-2023-05-31",
		"max_tokens":        100,
		"messages":          []any{map[string]string{"role": "user", "content": os.Args[1]}},
	})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.InvokeModel(ctx, &bedrockruntime.InvokeModelInput{
		ModelId:     aws.String("eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
		ContentType: aws.String("application/json"),
		Body:        body,
	})
	if err != nil {
		log.Fatal(err)
	}
	var message struct{ Content []struct{ Text string } }
	if err := json.Unmarshal(answer.Body, &message); err != nil {
		log.Fatal(err)
	}
	printed, err := json.Marshal([]map[string]string{{"text": message.Content[0].Text, "authorization": authorization}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(printed))
}
