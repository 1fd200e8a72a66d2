// IDE sends code context
{
  "type": "codeContext",
  "data": {
    "file": "src/utils.ts",
    "language": "typescript",
    "content": "function add(a, b) { return a + b; }"
  }
}

// Dashboard analyzes and responds
{
  "type": "suggestions",
  "data": [
    {
      "id": "uuid",
      "type": "test",
      "title": "Add unit test",
      "description": "This function needs tests",
      "confidence": 0.75
    }
  ]
}
