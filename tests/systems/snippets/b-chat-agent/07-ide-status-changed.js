{
  type: 'ideStatusChanged',
  data: {
    port: 9222,
    status: 'active',
    workspacePath: '/path/to/workspace'
  }
}
