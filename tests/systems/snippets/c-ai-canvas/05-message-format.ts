{
  type: string;        // Message type
  timestamp: string;   // ISO timestamp
  [key: string]: any;  // Additional data
}
