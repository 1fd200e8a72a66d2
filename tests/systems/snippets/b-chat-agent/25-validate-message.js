// Validate incoming messages
const validateMessage = (message) => {
  const schema = {
    type: 'string',
    data: 'object'
  };
  
  for (const [key, expectedType] of Object.entries(schema)) {
    if (!message.hasOwnProperty(key)) {
      throw new Error(`Missing required field: ${key}`);
    }
    
    if (typeof message[key] !== expectedType) {
      throw new Error(`Invalid type for ${key}: expected ${expectedType}`);
    }
  }
  
  return true;
};
